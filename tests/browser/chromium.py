"""A real browser at a real hub: Debian's Chromium, its passkeys from a virtual authenticator."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from farthing.clock import parse_time
from farthing.codec import to_base64url
from farthing.core.devices import enrolment_bytes
from farthing.core.notices import Class
from farthing.core.orders import Order, SignedOrder
from farthing.ids import encode, fresh
from farthing.keys import Signer, new_signer
from farthing.opening import key_ring
from farthing.services.notices import Notices
from farthing.settings import Config
from tests.e2e.hub_process import HubProcess
from tests.web.api.town import body_of
from tests.web.pages.provider import CLIENT, providing

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
_PUSHES = {"FARTHING_NOTICES_ALLOW_NETWORKS": "127.0.0.0/8"}
"""Pushes of the tests are received on this machine."""
_WITHOUT = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Machine:
    """A device that signs orders. Shape: `payee` is where it pays."""

    id: str
    account: str
    signer: Signer


class Hub:
    """A hub that is served, with an owner who has a wallet and a shop that is paid."""

    def __init__(self, process: HubProcess) -> None:
        self.process = process
        self.url = f"http://localhost:{process.port}"
        self.http = httpx.Client(base_url=process.url)
        self.hub = str(process.made["hub"])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask as the operator."""
        headers = {"authorization": f"Bearer {self.process.made['key']}"}
        answer = self.http.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def owner(self, name: str) -> str:
        """Make an owner."""
        return self.ask("POST", "/v1/owners", {"name": name})["id"]

    def account(self, owner: str, name: str, units: int = 0) -> str:
        """Open an account with some test money in it."""
        body = {"owner": owner, "asset": "USD", "name": name}
        account = self.ask("POST", "/v1/accounts", body)["id"]
        if units:
            credit = {"account": account, "units": str(units), "asset": "USD"}
            self.ask("POST", "/v1/credits", credit)
        return account

    def enrol(self, owner: str, account: str, name: str, **mandate: Any) -> Machine:
        """Enrol a device under a mandate of its own."""
        terms = {"owner": owner, "asset": "USD"} | mandate
        made = self.ask("POST", "/v1/mandates", terms)["id"]
        body = {"account": account, "mandate": made, "name": name}
        return self.take_up(self.ask("POST", "/v1/devices/invitations", body)["code"], account)

    def take_up(self, code: str, account: str) -> Machine:
        """Enrol a device with a code, as its own software does."""
        signer = new_signer()
        proof = to_base64url(signer.sign(enrolment_bytes(code, signer.public)))
        enrolling = {"code": code, "public_key": signer.public, "signature": proof}
        return Machine(self.ask("POST", "/v1/devices/enrol", enrolling)["device"], account, signer)

    def pay(self, machine: Machine, payee: str, amount: int, resource: str = "") -> httpx.Response:
        """Pay as a device does."""
        return self.http.post("/v1/payments", json=self.order(machine, payee, amount, resource))

    def order(self, machine: Machine, payee: str, amount: int, resource: str = "") -> Any:
        """Order as a device does, for what is sent."""
        order = Order(
            hub=self.hub,
            device=machine.id,
            payee=payee,
            asset="USD",
            amount=amount,
            nonce=encode(fresh(_now_ms())),
            expires=_now_ms() // 1000 + 300,
            resource=resource,
        )
        return body_of(SignedOrder(order, machine.signer.sign(order.signed_bytes())))

    @staticmethod
    def at(moment: str) -> int:
        """Read a moment. Units: Unix seconds."""
        return parse_time(moment)

    def link(self, owner: str, name: str, *more: str) -> str:
        """Invite somebody, who may have more roles than an owner's."""
        return self.link_as(owner, name, "owner", *more)

    def stop_link(self, name: str, about: Class) -> str:
        """Write the link that is in somebody's notices, and turns those about this off."""
        ring = key_ring(Config(folder=str(self.process.made["folder"])))
        people = self.ask("GET", "/v1/people?limit=500")["items"]
        [person] = [one["id"] for one in people if one["name"] == name][:1]
        notices = Notices(cast(Any, None), {}, self.url, ring.notice_secret, {})
        return notices.stop_url(person, about)

    def link_as(self, owner: str, name: str, *roles: str) -> str:
        """Invite somebody in these roles."""
        body = {"name": name, "roles": list(roles), "owner": owner}
        return self.ask("POST", "/v1/people", body)["link"]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextlib.contextmanager
def hub_in(folder: Path) -> Iterator[Hub]:
    """Serve a hub in a folder, whose people may sign in at an organisation as well."""
    with (
        providing(lambda: int(time.time())) as provider,
        HubProcess(
            folder,
            FARTHING_RAILS_SIMULATED="true",
            FARTHING_RISK_MODE="on",
            FARTHING_OIDC_ISSUER=provider.issuer,
            FARTHING_OIDC_CLIENT_ID=CLIENT,
            FARTHING_OIDC_NAME="Mill & Sons",
            FARTHING_OIDC_ALLOW_NETWORKS="127.0.0.0/8",
            **_PUSHES,
        ) as process,
    ):
        yield Hub(process)


class Chromium:
    """The browser; each person has a context of its own, with an authenticator."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    @contextlib.contextmanager
    def person(self, **more: Any) -> Iterator["Person"]:
        """Give a person a browser. Shape: whatever a page says on the console fails the test."""
        context = self.browser.new_context(**({"viewport": PHONE, "locale": "en-GB"} | more))
        try:
            yield Person(context)
        finally:
            context.close()


class Person:
    """One person at one page, whose finger is on the sensor."""

    def __init__(self, context: BrowserContext) -> None:
        self.context, self.page = context, context.new_page()
        self.page.set_default_timeout(10_000)
        self.troubles: list[str] = []
        self.page.on("pageerror", lambda fault: self.troubles.append(str(fault)))
        self.page.on("console", self._hear)
        self.devtools = context.new_cdp_session(self.page)
        self.devtools.send("WebAuthn.enable")
        told = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                "hasUserVerification": True, "isUserVerified": True,
                "automaticPresenceSimulation": True}  # fmt: skip
        made = self.devtools.send("WebAuthn.addVirtualAuthenticator", {"options": told})
        self.authenticator = made["authenticatorId"]

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.troubles.append(message.text)

    def verified(self, *, verified: bool) -> None:
        """Put another finger on the sensor."""
        told = {"authenticatorId": self.authenticator, "isUserVerified": verified}
        self.devtools.send("WebAuthn.setUserVerified", told)

    def join(self, link: str) -> Page:
        """Open a link, make a passkey, and arrive at the wallet."""
        self.page.goto(link)
        self.page.get_by_role("button", name="Make a passkey").click()
        self.page.wait_for_url("**/wallet")
        return self.page


@contextlib.contextmanager
def opened_browser(path: str) -> Iterator[Chromium]:
    """Start a browser and end it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_WITHOUT)
        try:
            yield Chromium(browser)
        finally:
            browser.close()


def kept_in(page: Page, name: str) -> str:
    """Read a page's own object as JSON."""
    return json.dumps(page.evaluate(name))
