"""Every page is as anybody may need it: read aloud, on a phone, at night, over a slow line.

The pictures in docs/screens are made here: FARTHING_SCREENS=docs/screens names where to.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Response

from farthing.core.notices import Class

from .chromium import DESKTOP, PHONE, Chromium, Hub, Person
from .street import Street, filled

FIRST_LOAD_BYTES_MAX = 60 * 1024
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTRAST, OF_AMOUNTS = "color-contrast", "color-contrast-enhanced"
NARROWEST = {"width": 320, "height": 640}
"""WCAG 2.2, 1.4.10: what fits here can be used at 400 % on a desktop."""

Look = Callable[[str], None]


@pytest.fixture(scope="module")
def street(hub: Hub) -> Street:
    """Fill a wallet as a small company's is filled."""
    return filled(hub)


def pages(street: Street) -> Iterator[tuple[str, str]]:
    """Name the pages that are looked at as they are opened."""
    yield "wallet", "/wallet"
    yield "ask", f"/wallet/payments/{street.asked}"
    yield "receipt", f"/wallet/payments/{street.paid}"
    yield "refused", f"/wallet/payments/{street.refused}"
    yield "sale", f"/wallet/payments/{street.sold}"
    yield "devices", "/wallet/devices"
    yield "device", f"/wallet/devices/{street.machine.id}"
    yield "limits", f"/wallet/devices/{street.machine.id}/limits"
    yield "new-device", "/wallet/devices/new"
    yield "money", "/wallet/money"
    yield "shop", "/shop"
    yield "statements", "/shop/statements"
    yield "usage", "/shop/usage"
    yield "price", "/shop/price"
    yield "keys", "/shop/keys"
    yield "console", "/console"
    yield "motion", "/console/motion?state=awaiting"
    yield "stuck", "/console/stuck"
    yield "cases", "/console/cases"
    yield "case", f"/console/cases/{street.case}"
    yield "risk", "/console/risk"
    yield "people", "/console/people"
    yield "log", "/console/log"
    yield "account", "/account"
    yield "notices", "/account/notices"


def at_rest(page: Page) -> None:
    """Wait until a page has come to rest."""
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    page.wait_for_function("[...document.images].every((one) => one.complete && one.naturalWidth)")
    if page.locator("[data-receipt]").count():
        page.wait_for_selector("[data-state]")


def test_every_page_is_for_everybody_by_day_and_by_night(
    chromium: Chromium, hub: Hub, street: Street
):
    with looked_at(chromium) as (ada, look):
        page = ada.page
        for name in ("sign-in", "join", "offline"):
            page.goto(f"{hub.url}/{name}")
            look(name)
        ada.join(hub.link(street.owner, "Ada Lovelace", "operator"))
        for name, path in pages(street):
            page.goto(hub.url + path)
            look(name)
        approved_by_another(chromium, hub, street)
        page.goto(f"{hub.url}/wallet/payments/{street.asked}")
        look("ask-two")


def approved_by_another(chromium: Chromium, hub: Hub, street: Street) -> None:
    """Let the first of two people approve what waits."""
    with chromium.person() as bea:
        page = bea.join(hub.link(street.owner, "Bea Byron"))
        page.goto(f"{hub.url}/wallet/payments/{street.asked}")
        page.get_by_role("button", name="Approve").click()
        page.get_by_text("You approved it.").wait_for()


def test_what_is_read_back_and_shown_once_is_for_everybody(
    chromium: Chromium, hub: Hub, street: Street
):
    with looked_at(chromium) as (ada, look):
        page = ada.join(hub.link(street.owner, "Ada Lovelace", "operator"))
        page.goto(f"{hub.url}/wallet/devices/new")
        page.get_by_label("What it is called").fill("Locker 4")
        page.get_by_label("up to").fill("5")
        page.get_by_role("button", name="Read it back").click()
        look("check-device")
        page.get_by_role("button", name="Confirm, and make the code").click()
        page.wait_for_selector("[data-code]")
        look("code")
        page.goto(f"{hub.url}/wallet/devices/{street.machine.id}/limits")
        page.get_by_label("Ask me above").fill("8")
        page.get_by_role("button", name="Read it back").click()
        look("check-limits")
        page.goto(f"{hub.url}/wallet/money")
        page.locator("#out-amount").fill("12.50")
        page.get_by_role("button", name="Read it back").click()
        look("check-payout")
        page.goto(f"{hub.url}/wallet/payments/{street.sold}")
        page.get_by_text("Give money back").click()
        page.get_by_label("Why").fill("It stopped half way")
        page.get_by_label("How much").fill("0.60")
        page.get_by_role("button", name="Read it back").click()
        look("check-refund")
        page.goto(f"{hub.url}/shop/keys")
        page.get_by_label("What a new key is for").fill("till")
        page.get_by_role("button", name="Make a key to sell with").click()
        page.wait_for_selector("[data-secret]")
        look("key")
        page.goto(f"{hub.url}/console/cases/{street.case}")
        page.get_by_text("Legitimate").click()
        page.get_by_label("Why").fill("Its owner has ordered a new lock.")
        page.get_by_role("button", name="Read it back").click()
        look("check-case")
        page.get_by_role("button", name="Say that it was legitimate").click()
        page.wait_for_url(f"{hub.url}/console/cases/{street.case}")
        look("case-decided")
        page.goto(f"{hub.url}/console/risk")
        page.get_by_label("Other rules").fill("[risk.rules.new_payee]\npayments_min = 1")
        page.get_by_role("button", name="Try on the past").click()
        page.get_by_text("orders of 30 days were judged").wait_for()
        look("risk-tried")
        invite(page, hub, look)


def invite(page: Page, hub: Hub, look: Look) -> None:
    """Invite somebody on the pages of the console."""
    page.goto(f"{hub.url}/console/people")
    page.get_by_label("Name").fill("Grace Hopper")
    page.get_by_label("Signs in for").select_option(label="Others")  # Not her own: two approve.
    page.get_by_label("Looks after the hub as well").check()
    page.get_by_role("button", name="Read it back").click()
    look("check-person")
    page.get_by_role("button", name="Make the link").click()
    page.wait_for_selector("[data-link]")
    look("link")


def test_where_one_goes_to_an_organisation_and_where_notices_stop_is_for_everybody(
    chromium: Chromium, hub: Hub, street: Street
):
    with looked_at(chromium) as (ada, look):
        page = ada.join(hub.link(street.owner, "Ada"))
        page.goto(f"{hub.url}/account")
        page.get_by_role("button", name="Sign in with Mill & Sons as well").click()
        page.get_by_role("link", name="Not now").wait_for()
        look("organisation")
        page.goto(hub.stop_link("Ada", Class.MONEY))
        look("stop")
        page.get_by_role("button", name="Stop them").click()
        page.get_by_text("You are told nothing about “Money moved” any more.").wait_for()


def test_a_wards_pages_are_for_everybody(chromium: Chromium, hub: Hub, street: Street):
    with looked_at(chromium) as (mia, look):
        page = mia.join(hub.link_as(street.ward, "Mia", "ward"))
        for name, path in (
            ("ward-wallet", "/wallet"),
            ("ward-ask", f"/wallet/payments/{street.ward_asked}"),
            ("ward-refused", f"/wallet/payments/{street.ward_refused}"),
            ("ward-device", f"/wallet/devices/{street.wards.id}"),
            ("ward-limits", f"/wallet/devices/{street.wards.id}/limits"),
        ):
            page.goto(hub.url + path)
            look(name)


def test_what_is_not_there_says_so_to_everybody(chromium: Chromium, hub: Hub, street: Street):
    with looked_at(chromium) as (ada, look):
        page = ada.join(hub.link(street.owner, "Ada"))
        page.goto(f"{hub.url}/wallet/payments/pay_{'0' * 26}")
        look("fault")
        assert [one for one in ada.troubles if "404" not in one] == []
        ada.troubles.clear()


@contextlib.contextmanager
def looked_at(chromium: Chromium) -> Iterator[tuple[Person, Look]]:
    """Give a person, and what looks at each page that they come to; in the end all must be well."""
    folder, faults = os.environ.get("FARTHING_SCREENS"), dict[str, Any]()
    # What a service worker keeps comes without a wire, and not as it would come over it.
    with chromium.person(service_workers="block") as person:
        yield person, lambda name: look_at(person, name, folder, faults)
        assert faults == {}
        assert person.troubles == []


VIOLATED = """(options) => axe.run(options).then(({ violations }) => violations
    .map(({ id, nodes }) => [id, nodes.filter((node) => id !== "color-contrast-enhanced"
        || document.querySelector(node.target[0])?.closest(".amount, button"))])
    .filter(([, nodes]) => nodes.length)
    .map(([id, nodes]) => [id, nodes.map((node) => node.html)]))"""
"""Amounts, and the buttons that say them, are to be as clear as AAA has it."""
LARGER = "(size) => { document.documentElement.style.fontSize = size; }"
WEIGHT = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const all = performance.getEntriesByType("resource");
    const others = all.filter((one) => !one.name.includes("/live"));
    return [page, ...others].reduce((sum, one) => sum + one.encodedBodySize + 1200, 0);
}"""
"""What a page weighs where nothing is kept, as it comes over the wire; 1,200 bytes for the heads of
each request and answer are more than they have."""


def look_at(person: Person, name: str, folder: str | None, faults: dict[str, Any]) -> None:
    """Note what somebody could not use of a page, and take its pictures where they are wanted."""
    page = person.page
    at_rest(page)
    weight = page.evaluate(WEIGHT)
    page.evaluate(Axe().axe_script)
    if not 5_000 < weight <= FIRST_LOAD_BYTES_MAX:
        faults[f"{name} weighs"] = weight
    if folder is None:
        faults.update(too_wide(page, name))
    amounts = {OF_AMOUNTS: {"enabled": True}}
    for scheme, rules in (("light", RULES), ("dark", [CONTRAST, OF_AMOUNTS])):
        page.emulate_media(color_scheme=scheme)
        for width, size in (("1280", DESKTOP), ("390", PHONE)):
            if scheme == "dark" and width == "1280" and folder is None:
                continue  # At night a page is as wide as by day.
            page.set_viewport_size(size)  # pyright: ignore[reportArgumentType]
            at_rest(page)
            if folder is not None:
                place = Path(folder) / f"{name}-{width}-{scheme}.png"
                page.screenshot(path=place, animations="disabled")
            faults.update(wider_than(page, f"{name} {width}", size))
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        if scheme == "light":
            options["rules"] = amounts
        told = dict(page.evaluate(VIOLATED, options))
        if told:
            faults[f"{name} {scheme}"] = told


def wider_than(page: Page, name: str, size: dict[str, int]) -> dict[str, str]:
    """Say how wide a page is, where that is wider than what it is shown on."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    return {name: f"{wide} pixels wide"} if wide > size["width"] else {}


def too_wide(page: Page, name: str) -> dict[str, str]:
    """Look at a page on the narrowest phone, and with letters of twice the size."""
    faults: dict[str, str] = {}
    for size, letters in ((NARROWEST, ""), (PHONE, "200%")):
        page.set_viewport_size(size)  # pyright: ignore[reportArgumentType]
        page.evaluate(LARGER, letters)
        faults |= wider_than(page, f"{name} {size['width']} {letters}", size)
    page.evaluate(LARGER, "")
    return faults


def test_the_first_load_is_small_and_comes_from_here_alone(
    chromium: Chromium, hub: Hub, street: Street
):
    answers: list[Response] = []
    with chromium.person() as first:
        link = hub.link(street.owner, "Ada")
        first.page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108
        first.join(link)
        at_rest(first.page)
        loaded = [one for one in answers if "/wallet/live" not in one.url]
        assert {one.url.split("/")[2] for one in loaded} == {hub.url.split("/")[2]}
        told: dict[str, int] = {}
        for one in loaded:  # What is asked for again costs nothing: its first time counts.
            size = one.request.sizes()
            whole = size["responseBodySize"] + size["responseHeadersSize"]
            told[one.url] = max(told.get(one.url, 0), whole)
        assert sum(told.values()) <= FIRST_LOAD_BYTES_MAX, told
        assert sum(told.values()) > 10_000


def test_pages_are_in_the_language_that_the_browser_asks_for(
    chromium: Chromium, hub: Hub, street: Street
):
    with chromium.person() as ada:
        ada.join(hub.link(street.owner, "Ada"))
        kept = ada.context.storage_state()
    with chromium.person(locale="de-DE", storage_state=kept) as ada:
        ada.page.goto(f"{hub.url}/wallet")
        assert ada.page.locator("html").get_attribute("lang") == "de"
        assert ada.page.get_by_role("heading", name="Zahlungen").is_visible()
        ada.page.goto(f"{hub.url}/wallet/devices/{street.machine.id}")
        assert "Darf bis zu 20,00\u202f$ am Tag ausgeben." in ada.page.inner_text(".says")


def test_who_wants_less_motion_sees_none(chromium: Chromium, hub: Hub, street: Street):
    with chromium.person(reduced_motion="reduce") as ada:
        page = ada.join(hub.link(street.owner, "Ada"))
        page.evaluate("document.querySelector('#feed .row').classList.add('new')")
        assert page.evaluate("document.getAnimations().length") == 0
