"""Pages in the hands of people who use keys, large letters, and names of any length."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .chromium import Chromium, Hub, Machine
from .test_screens import NARROWEST, at_rest, too_wide

LONG = "Ladestation" * 18
NAMES = (LONG[:200], "\u05d0\u05d1\u05d2 7 " * 3, "🔋" * 100)
"""Without a space, from right to left, and of pictures."""
FORTUNE = 9_000_000_000_000_001
"""Nine billion, and a millionth. Units: smallest units."""

TINTED = """() => {
    const look = new MutationObserver(() => {
        const balance = document.querySelector("#balance.changed .big");
        if (balance) tinted.push(balance.innerText);
    });
    window.tinted = [];
    look.observe(document, { subtree: true, attributes: true, attributeFilter: ["class"] });
}"""
"""What the balance was, each time that it was shown as changed."""

SEEN = """() => {
    const one = document.activeElement, style = getComputedStyle(one);
    const { left, top, width, height } = one.getBoundingClientRect();
    const there = document.elementFromPoint(left + width / 2, top + height / 2);
    return { what: one.outerHTML.slice(0, 160), body: one === document.body,
             outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
             free: one === there || one.contains(there) || Boolean(there?.contains(one)) };
}"""
"""Where the focus is, how wide its outline is, and whether something lies over it."""


@pytest.fixture(scope="module")
def odd(hub: Hub) -> tuple[str, list[Machine], list[str]]:
    """Fill a wallet with names that nobody would choose, and more money than anybody has."""
    owner = hub.owner(NAMES[0])
    machines: list[Machine] = []
    payments: list[str] = []
    for name in NAMES:
        account = hub.account(owner, name, FORTUNE // 3)
        machine = hub.enrol(owner, account, name, ask_above="7000000000")
        till = hub.account(hub.owner(name), name)
        for amount in (1, 1_234_567_891, 8_000_000_001):
            made = hub.pay(machine, till, amount, "GET /" + "long" * 40).json()
            assert "id" in made or "payment" in made, made
            payments.append(made.get("id") or made["payment"])
        machines.append(machine)
    own = hub.account(owner, "sales")
    hub.pay(machines[1], own, 2_345_678_900, "GET /own")
    offer = {"payee": own, "path": "/" + "a" * 180, "asset": "USD", "amount": str(FORTUNE)}
    hub.ask("POST", "/v1/offers", offer | {"description": NAMES[0]})
    return owner, machines, payments


def test_names_and_amounts_of_any_length_fit_on_the_narrowest_phone(
    chromium: Chromium, hub: Hub, odd: tuple[str, list[Machine], list[str]]
):
    owner, machines, payments = odd
    faults: dict[str, Any] = {}
    with chromium.person(viewport=NARROWEST) as ada:
        page = ada.join(hub.link(owner, "Ada" * 20, "owner", "operator"))
        paths = ["/wallet", "/wallet/devices", "/wallet/money", "/wallet/devices/new", "/shop"]
        paths += ["/shop/statements", "/console", "/console/motion?state=accounts"]
        paths += ["/console/log", "/console/people", "/console/cases", "/account"]
        paths += [f"/wallet/devices/{one.id}{more}" for one in machines for more in ("", "/limits")]
        paths += [f"/wallet/payments/{one}" for one in payments[:3]]
        for path in paths:
            page.goto(hub.url + path)
            at_rest(page)
            faults |= too_wide(page, path)
        assert ada.troubles == []
    assert faults == {}


def test_names_that_run_the_other_way_leave_what_is_around_them_in_place(
    chromium: Chromium, hub: Hub, odd: tuple[str, list[Machine], list[str]]
):
    with chromium.person() as ada:
        page = ada.join(hub.link(odd[0], "Ada"))
        ask = page.locator(".ask").filter(has_text=NAMES[1]).locator(".ask-words")
        assert f"\u2068{NAMES[1]}\u2069 wants" in ask.inner_text()


def test_amounts_stand_at_the_point_and_their_currency_above_them_once(
    chromium: Chromium, hub: Hub
):
    owner = hub.owner("Pointed")
    till = hub.account(hub.owner("Gauges"), "till")
    pump = hub.enrol(owner, hub.account(owner, "fleet", 90_000_000), "Pump 1")
    for amount in (120, 2_250_000, 12_300, 10_000_000, 95_000_000):  # The last is refused.
        hub.pay(pump, till, amount)
    with chromium.person() as ada:
        ada.page.add_init_script(f"({TINTED})()")
        page = ada.join(hub.link(owner, "Ada"))
        parts = page.locator("#feed .part")
        assert parts.count() == 5
        assert len({round(one["x"]) for one in map(box_of, parts.all())}) == 1
        assert page.locator(".head .asset").inner_text() == "USD"
        assert {one["width"] for one in map(box_of, page.locator("#feed .unit").all())} == {1}
        hub.pay(pump, till, 1_000_001)  # What comes later moves the point of all.
        expect(parts).to_have_count(6)
        assert len({round(one["x"]) for one in map(box_of, parts.all())}) == 1
        assert page.evaluate("tinted") == [page.locator("#balance .big").inner_text()]


def box_of(one: Any) -> Any:
    """Give where an element is, and how large."""
    return one.bounding_box()


def test_from_key_to_key_the_focus_is_seen_and_nothing_lies_over_it(chromium: Chromium, hub: Hub):
    owner = hub.owner("Tabbed")
    till = hub.account(hub.owner("Gauges"), "till")
    pump = hub.enrol(owner, hub.account(owner, "fleet", 90_000_000), "Pump 1", ask_above="50")
    for amount in (1, 2, 3, 4, 5, 6, 7, 8, 60):
        hub.pay(pump, till, amount)
    with chromium.person() as ada:
        page = ada.join(hub.link(owner, "Ada", "owner", "operator"))
        for path in ("/wallet", f"/wallet/devices/{pump.id}", "/account", "/console"):
            page.goto(hub.url + path)
            at_rest(page)
            told = walked(page)
            assert len(told) > 8, path
            assert [one for one in told if one["outline"] < 2 or not one["free"]] == [], path


def walked(page: Page) -> list[Any]:
    """Go through a page by the tab key."""
    told: list[Any] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen = page.evaluate(SEEN)
        if seen["body"]:
            break
        told.append(seen)
    return told


def test_the_console_is_used_by_keys_alone(chromium: Chromium, hub: Hub):
    with chromium.person(viewport={"width": 1280, "height": 800}) as grace:
        page = grace.join(hub.link(hub.owner("Keys"), "Grace", "operator"))
        page.goto(f"{hub.url}/console/log")
        for key, row in (("j", 0), ("j", 1), ("k", 0)):
            page.keyboard.press(key)
            assert page.locator("tbody tr.here").count() == 1
            assert "here" in (page.locator("tbody tr").nth(row).get_attribute("class") or "")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        page.keyboard.type("person.")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/log?find=person.")
        page.keyboard.press("2")
        page.wait_for_url("**/console/motion")
        page.get_by_role("button", name="Keys").click()
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_a_tap_on_a_time_says_exactly_when(chromium: Chromium, hub: Hub):
    with chromium.person() as ada:
        page = ada.join(hub.link(hub.owner("Timed"), "Ada"))
        page.goto(f"{hub.url}/account")
        time = page.locator("time").first
        short, whole = time.inner_text(), time.get_attribute("title")
        assert whole
        assert short != whole
        time.click()
        assert (time.inner_text(), time.get_attribute("title")) == (whole, short)
