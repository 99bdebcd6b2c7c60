"""Every page is as anybody may need it: read aloud, on a phone, at night, over a slow line.

The pictures in docs/screens are made here: FARTHING_SCREENS=docs/screens names where to.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Response

from .chromium import DESKTOP, PHONE, Chromium, Hub, Machine, Person

FIRST_LOAD_BYTES_MAX = 60 * 1024
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Street(NamedTuple):
    """An owner with machines that buy and one that sells. Shape: `asked` waits for an answer."""

    owner: str
    machine: Machine
    asked: str
    paid: str


@pytest.fixture(scope="module")
def street(hub: Hub) -> Street:
    """Fill a wallet as a small company's is filled."""
    owner, payers = hub.owner("Parkside Chargers"), hub.owner("Others")
    gauges, mill = (hub.account(hub.owner(name), "till") for name in ("Gauges", "Mill & Sons"))
    fleet, till = hub.account(owner, "fleet", 50_000_000), hub.account(owner, "sales")
    day = [{"name": "day", "per": "day", "limit": "20000000"}]
    charger = hub.enrol(
        owner, fleet, "Charger 7", budgets=day, ask_above="3000000", two_above="4000000"
    )
    hour = [{"name": "hour", "per": "1h", "limit": "2000000"}]
    kiosk = hub.enrol(
        owner, hub.account(owner, "kiosk", 2_000_000), "Kiosk 3", budgets=hour, largest="500000"
    )
    robot = hub.enrol(
        owner, hub.account(owner, "lab", 1_000_000), "Robot Ada", categories=["computing"]
    )
    van = hub.enrol(payers, hub.account(payers, "van", 9_000_000), "Van")
    for machine, payee, amount, what in (
        (charger, gauges, 1500, "GET /load"),
        (kiosk, mill, 12_300, "GET /chart.svg"),
        (robot, gauges, 9000, "GET /memory"),
        (van, till, 350_000, "POST /charge"),
        (charger, gauges, 2_250_000, "GET /tariff"),
        (kiosk, mill, 450_000, "GET /report"),
        (charger, gauges, 120, "GET /tick"),
    ):
        paid = hub.pay(machine, payee, amount, what).json()
    for way, place, units in (("topups", "ok", 50_000_000), ("payouts", "ok", 12_500_000),
                              ("payouts", "fail", 900_000), ("topups", "unclear", 5_000_000),
                              ("payouts", "lost", 2_000_000)):  # fmt: skip
        moving = {"account": fleet, "asset": "USD", "units": str(units), "rail": "simulated"}
        hub.ask("POST", f"/v1/{way}", moving | {"place": place})
    asked = hub.pay(charger, gauges, 4_200_000, "POST /charge?kwh=12").json()
    return Street(owner, charger, asked["id"], paid["id"])


def pages(street: Street) -> Iterator[tuple[str, str]]:
    """Name the pages that are looked at."""
    yield "wallet", "/wallet"
    yield "ask", f"/wallet/payments/{street.asked}"
    yield "receipt", f"/wallet/payments/{street.paid}"
    yield "devices", "/wallet/devices"
    yield "device", f"/wallet/devices/{street.machine.id}"
    yield "limits", f"/wallet/devices/{street.machine.id}/limits"
    yield "new-device", "/wallet/devices/new"
    yield "money", "/wallet/money"
    yield "shop", "/shop"
    yield "console", "/console"
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
    folder = os.environ.get("FARTHING_SCREENS")
    faults: dict[str, Any] = {}
    with chromium.person() as ada:
        page = ada.page
        for name in ("sign-in", "join", "offline"):
            page.goto(f"{hub.url}/{name}")
            look_at(ada, name, folder, faults)
        ada.join(hub.link(street.owner, "Ada Lovelace", "operator"))
        for name, path in pages(street):
            page.goto(hub.url + path)
            look_at(ada, name, folder, faults)
        approved_by_another(chromium, hub, street)
        page.goto(f"{hub.url}/wallet/payments/{street.asked}")
        look_at(ada, "ask-two", folder, faults)
        assert faults == {}
        assert ada.troubles == []


def approved_by_another(chromium: Chromium, hub: Hub, street: Street) -> None:
    """Let the first of two people approve what waits."""
    with chromium.person() as bea:
        page = bea.join(hub.link(street.owner, "Bea Byron"))
        page.goto(f"{hub.url}/wallet/payments/{street.asked}")
        page.get_by_role("button", name="Approve").click()
        page.get_by_text("You approved it.").wait_for()


def look_at(person: Person, name: str, folder: str | None, faults: dict[str, Any]) -> None:
    """Note what somebody could not use of a page, and take its pictures where they are wanted."""
    page = person.page
    for scheme, rules in (("light", RULES), ("dark", ["color-contrast"])):
        page.emulate_media(color_scheme=scheme)
        for width, size in (("1280", DESKTOP), ("390", PHONE)):
            if scheme == "dark" and width == "1280" and folder is None:
                continue  # At night a page is as wide as by day.
            page.set_viewport_size(size)  # pyright: ignore[reportArgumentType]
            at_rest(page)
            if folder is not None:
                place = Path(folder) / f"{name}-{width}-{scheme}.png"
                page.screenshot(path=place, animations="disabled")
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > size["width"]:
                faults[f"{name} {width}"] = f"{wide} pixels wide"
        found = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]})
        told = {
            one["id"]: [node["html"] for node in one["nodes"]]
            for one in found.response["violations"]
        }
        if told:
            faults[f"{name} {scheme}"] = told


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
