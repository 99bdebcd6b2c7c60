"""Whatever people write is shown as text: every field that somebody writes, on every page."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from farthing.settings import RiskSettings, WebhookSettings
from farthing.web.pages.app import PAGES
from tests.notifiers.pigeon import Pigeon
from tests.web.api.town import LOCAL, Town, changed, config_in, open_town

from .browser import Browser

NASTY = "<img src=x onerror=alert(1)>\"'{{7*7}}</script>"
OURS = re.compile(r"(/|#|$)")
SILENT = {"/", "/sign-in", "/join", "/offline", "/sw.js", "/static/{version}/{file}", "/push/key",
          "/notices/stop/{ticket}", "/a/{ask}", "/wallet/live", "/shop/statements.csv",
          "/sign-in/organisation", "/sign-in/organisation/back",
          "/sign-in/organisation/out"}  # fmt: skip
"""What is no page, or shows nothing that anybody wrote; live rows are tried in a real browser."""
LINKS = {"href", "src", "action", "formaction", "content"}


FIELDS = ("owner", "account", "device", "category", "what", "kind", "key", "offer", "place",
          "person", "mailbox", "webhook", "payee", "reason", "found", "verdict",
          "rules")  # fmt: skip
PATH = "/'onerror=alert(1)"
"""As nasty as a path of an offer may be."""

WATCHED = RiskSettings(mode="shadow", rules={"velocity": {"orders_per_minute_max": 1}})


def nasty(field: str) -> str:
    """Write into a field what would run, were it not shown as text."""
    return NASTY + field


class Reader(HTMLParser):
    """Reads a page as a browser does. Shape: `wrong` is what nobody of us has written."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.texts += told.values()
        self.wrong += [f"{tag} {name}" for name in told if name.startswith("on") or "'" in name]
        if tag in ("script", "img") and not told.get("src", "").startswith("/static/"):
            self.wrong.append(f"{tag} {told}")
        for name in LINKS & set(told) if tag != "meta" else ():
            if OURS.match(told[name]) is None or told[name].startswith("//"):
                self.wrong.append(f"{tag} {name}={told[name]}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


class Village:
    """A hub in which everything that a person may write has been written badly."""

    def __init__(self, town: Town, ada: Browser) -> None:
        self.town, self.ada = town, ada
        self.fields = list(FIELDS)
        self.seen: dict[str, str] = {}

    async def settle(self) -> None:
        """Write all that is written over the API."""
        town, made = self.town, self.town.made
        for name, field in (("nasty", "owner"), ("shop2", "payee")):
            owner = await made("POST", "/v1/owners", {"name": nasty(field)}, who=LOCAL)
            town.owners[name] = owner["id"]
        for name, owner in (("nasty", "nasty"), ("shop2", "shop2")):
            body = {"asset": "USD", "owner": town.owners[owner], "name": nasty("account")}
            town.accounts[name] = (await made("POST", "/v1/accounts", body, who=LOCAL))["id"]
        credit = {"account": town.accounts["nasty"], "units": "90000", "asset": "USD"}
        await made("POST", "/v1/credits", credit, who=LOCAL)
        kinds = [nasty("category"), nasty("kind")]
        day = [{"name": "day", "per": "day", "limit": "90000", "categories": kinds}]
        mandate = await town.mandate("nasty", ask_above="50", budgets=day, categories=kinds)
        await town.enrol(nasty("device"), "nasty", mandate)
        owner = {"owner": town.owners["nasty"]}
        key = owner | {"scopes": ["seller"], "label": nasty("key")}
        await made("POST", "/v1/keys", key, who=LOCAL)
        offer = {"payee": town.accounts["nasty"], "path": PATH, "asset": "USD"}
        offer |= {"amount": "5", "description": nasty("offer")}
        await made("POST", "/v1/offers", offer, who=LOCAL)
        for amount in ("5", "500"):  # What is bought is of a kind that its seller has named so.
            other = offer | {"payee": town.accounts["shop2"], "path": f"/{amount}"}
            other |= {"amount": amount, "category": nasty("kind")}
            await made("POST", "/v1/offers", other, who=LOCAL)
        moving = {"account": town.accounts["nasty"], "asset": "USD", "rail": "simulated"}
        moving |= {"units": "5", "place": nasty("place")}
        await made("POST", "/v1/topups", moving, who=LOCAL)
        hook = owner | {"url": f"https://127.0.0.1:1/{nasty('webhook')}", "label": nasty("hook")}
        made_hook = await town.ask("POST", "/v1/webhooks", hook, who=LOCAL)
        if made_hook.status_code != 201:  # It may be refused outright: then nobody is shown it.
            self.fields.remove("webhook")

    async def pay(self) -> None:
        """Pay, ask, and be refused."""
        town, order = self.town, {"machine": nasty("device"), "category": nasty("kind")}
        told: dict[str, Any] = order | {"resource": nasty("what"), "payee": "shop2"}
        self.paid = await self._ordered(5, told)
        self.asked = await self._ordered(500, told)
        sold = {"resource": nasty("what"), "payee": "nasty"}
        self.sold = await self._ordered(700, sold)
        cases = (await town.made("GET", "/v1/cases", who=LOCAL))["items"]
        self.case = cases[0]["id"]
        said = {"verdict": "fraud", "reason": nasty("verdict")}
        await town.made("POST", f"/v1/cases/{self.case}/decide", said, who=LOCAL)
        session = await town.session(1000, payee="nasty")
        assert (await town.draw(session, 7)).status_code == 200

    async def _ordered(self, amount: int, told: Mapping[str, Any]) -> str:
        more = dict(told)
        category = more.pop("category", "")
        body = self.town.payment(amount, **more) | ({"category": category} if category else {})
        answer = await self.town.ask("POST", "/v1/payments", body)
        assert answer.is_success, answer.text
        return answer.json()["id"]

    async def look(self) -> None:
        """Open every page that there is."""
        device = self.town.machines[nasty("device")].id
        queries = {
            "/shop/price": {"path": PATH},
            "/console/log": {"find": nasty("found")},
        }
        for one in PAGES:
            if one.method != "GET" or one.path in SILENT:
                continue
            payments = (self.paid, self.asked, self.sold) if "{payment}" in one.path else ("",)
            for payment in payments:
                path = one.path.format(device=device, payment=payment, case=self.case)
                answer = await self.ada.http.get(
                    path, params=queries.get(path), headers={"accept": "text/html"}
                )
                self.note(path, answer.status_code, answer.text, (200, 400))

    async def read_back(self) -> None:
        """Have every form read back what was typed into it, and be refused what is no form."""
        device, account = self.town.machines[nasty("device")].id, self.town.accounts["nasty"]
        leaving = {"account": account, "rail": "simulated", "amount": "0.01"}
        forms: dict[str, dict[str, str]] = {
            "/wallet/devices/new/check": {"account": account, "name": nasty("")[:60], "per": "day"},
            "/wallet/money/out/check": leaving | {"place": nasty("place")},
            f"/wallet/payments/{self.sold}/refund/check": {"reason": nasty("reason")},
            "/console/people/check": {
                "name": nasty("")[:60], "owner": self.town.owners["nasty"], "role": "owner",
            },
            f"/wallet/devices/{device}/limits/check": {"per": "day", "hours": nasty("")[:60]},
            f"/console/cases/{self.case}/check": {"verdict": "fraud", "reason": nasty("reason")},
            "/console/risk/try": {"days": "7", "rules": f"[risk]\nmode = '{nasty('rules')}'"},
        }  # fmt: skip
        for path, form in forms.items():
            answer = await self.ada.submit(path, form)
            self.note(path, answer.status_code, answer.text, (200, 400, 409, 422))

    def note(self, path: str, status: int, page: str, good: tuple[int, ...]) -> None:
        """Look at one page."""
        assert status in good, (path, status, page)
        reader = Reader(page)
        assert reader.wrong == [], path
        assert "49" not in [text for text in reader.texts if "onerror" in text], path
        self.seen[path] = "\n".join(reader.texts)


@pytest.mark.rule("asvs.3.2", on="hub")
async def test_every_page_shows_every_field_that_people_write_as_text(tmp_path: Path):
    config = changed(
        config_in(tmp_path), webhooks=WebhookSettings(allow_networks=["127.0.0.0/8"]), risk=WATCHED
    )
    async with open_town(tmp_path, config=config) as town:
        town.hub.desk.notices.ways["email"] = Pigeon()  # pyright: ignore[reportIndexIssue]
        ada = Browser(town)
        village = Village(town, ada)
        await village.settle()
        code = await ada.invited("nasty", name=nasty("person"), roles=["owner", "operator"])
        assert (await ada.join(code)).status_code == 200
        mailbox = {"way": "email", "place": f"{nasty('mailbox')}@home.example"}
        if (await ada.submit("/account/notices/add", mailbox)).status_code != 303:
            village.fields.remove("mailbox")
        await village.pay()
        await village.look()
        await village.read_back()
        shown = "\n".join(village.seen.values())
        for field in village.fields:
            assert nasty(field) in shown, f"{field} is on no page, so nothing of it was tried"
