"""The whole journey of an owner, in one go, in a real browser."""

from typing import Any

import zxingcpp
from playwright.sync_api import Page, expect

from tests.notifiers.subscriber import Subscriber
from tests.receiver import receiving

from .chromium import Chromium, Hub, Person
from .test_pushed import comes_to, pushed, subscribed

SPOILED = """async () => {
    const script = document.querySelector('script[src$="/receipt.js"]').src;
    const { holds } = await import(script);
    const box = document.querySelector("[data-receipt]");
    const written = box.querySelector("[data-text]").textContent, root = box.dataset.root;
    const after = async (spoil) => {
        const receipt = JSON.parse(written);
        spoil(receipt);
        return holds(receipt, root).catch(() => false);
    };
    const other = (text) => (text[0] === "A" ? "B" : "A") + text.slice(1);
    return Promise.all([
        after(() => {}),
        after((one) => { one.statement.amount = "1"; }),
        after((one) => { one.proof.head.time = "1"; }),
        after((one) => { one.proof.head.signature = other(one.proof.head.signature); }),
        after((one) => { one.certificate.signature = other(one.certificate.signature); }),
        after((one) => { one.statement.hub = "another"; }),
    ]);
}"""
"""Whether a receipt holds as it is, and with one thing in it spoiled at a time."""

PICTURE = """async () => {
    const svg = new XMLSerializer().serializeToString(document.querySelector("svg.qr"));
    const picture = new Image(), size = 200;
    picture.src = "data:image/svg+xml," + encodeURIComponent(svg);
    await picture.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
    const pen = canvas.getContext("2d");
    pen.drawImage(picture, 0, 0, size, size);
    const { data } = pen.getImageData(0, 0, size, size);
    return [...data].filter((_, i) => i % 4 === 0);
}"""
"""What a camera would see of the picture: 200 rows of 200 grey points."""


def test_an_owner_from_the_first_passkey_to_an_hour_without_a_line(chromium: Chromium, hub: Hub):
    owner = hub.owner("Parkside Chargers")
    shop = hub.account(hub.owner("Gauges"), "till")
    wallet, browser = hub.account(owner, "fleet", 50_000_000), Subscriber()
    with receiving() as receiver, chromium.person() as ada:
        page = ada.join(hub.link(owner, "Ada"))
        expect(page.locator("#balance .big")).to_have_text("$50.00")
        expect(page.locator("#feed-none")).to_be_visible()
        charger = hub.take_up(enrolled_by_picture(page, hub), wallet)
        limits_are_set(page, hub, charger.id)
        phone = subscribed(ada, hub, f"{receiver.url}/push", browser)
        page.goto(f"{hub.url}/wallet")
        page.wait_for_function("navigator.serviceWorker.controller !== null")

        paid_live_and_asked_on_the_page(page, hub, charger, shop)

        # The next one is asked for by a push, and approved from what it shows.
        asked = hub.pay(charger, shop, 5_000_000, "GET /kWh?amount=14").json()["id"]
        notice = phone.deliver(pushed(receiver, browser, asked))
        assert notice["actions"] == ["approve", "deny"]
        assert "5 USD" in notice["body"]
        phone.press(notice, "approve")
        comes_to(hub, asked, "captured")
        expect(page.locator(f'#feed [data-payment="{asked}"]')).to_contain_text("Gauges")
        expect(page.locator("#balance .big")).to_have_text("$40.7985")

        frozen_and_refused(page, hub, charger, shop)
        away_and_back(ada, hub, charger, shop)
        assert [one for one in ada.troubles if "ERR_INTERNET_DISCONNECTED" not in one] == []


def enrolled_by_picture(page: Page, hub: Hub) -> str:
    """Add a device on the pages, and read its code as a device with a camera does."""
    page.get_by_role("link", name="Add a device").click()
    page.get_by_label("What it is called").fill("Charger 7")
    page.get_by_label("up to").fill("20")
    page.get_by_label("and at most this at once").fill("15")
    page.get_by_label("Ask me above").fill("8")
    page.get_by_role("button", name="Read it back").click()
    expect(page.get_by_text("May spend up to $20.00 a day.")).to_be_visible()
    page.get_by_role("button", name="Confirm, and make the code").click()
    written = page.locator("[data-code]").inner_text()
    points = bytes(page.evaluate(PICTURE))
    [seen] = zxingcpp.read_barcodes(memoryview(points).cast("B", (200, 200)))
    url, _, code = seen.text.partition("/enrol#")
    assert (url, code) == (hub.url, written)
    return code


def limits_are_set(page: Page, hub: Hub, device: str) -> None:
    """Narrow what the device may: to be asked sooner needs no passkey."""
    page.goto(f"{hub.url}/wallet/devices/{device}/limits")
    page.get_by_label("Ask me above").fill("3")
    page.get_by_role("button", name="Read it back").click()
    expect(page.get_by_text("This allows no more than before.")).to_be_visible()
    page.get_by_role("button", name="Set these limits").click()
    expect(page.locator(".says")).to_contain_text("Asks you above $3.00.")


def paid_live_and_asked_on_the_page(page: Page, hub: Hub, charger: Any, shop: str) -> None:
    """See a payment arrive, be asked before a larger one, and approve it on its page."""
    assert hub.pay(charger, shop, 1500, "GET /load").json()["state"] == "captured"
    row = page.locator("#feed .row").first
    expect(row).to_contain_text("Gauges")
    expect(row.locator(".much")).to_have_text("$0.0015")
    expect(page.locator("#balance .big")).to_have_text("$49.9985")
    asked = hub.pay(charger, shop, 4_200_000, "GET /kWh?amount=12").json()
    assert asked["state"] == "awaiting"
    ask = page.locator("#asks .ask")
    expect(ask).to_contain_text("Charger 7 wants to spend this at Gauges.")
    ask.get_by_role("link", name="$4.20").click()
    expect(page.get_by_text("You asked to be told above $3.00.")).to_be_visible()
    page.get_by_role("button", name="Approve $4.20").click()
    expect(page.locator(".receipt-top")).to_contain_text("Paid")
    assert hub.ask("GET", f"/v1/payments/{asked['id']}")["state"] == "captured"
    expect(page.locator("[data-verdict]")).to_contain_text("this receipt holds")
    assert page.evaluate(SPOILED) == [True, False, False, False, False, False]
    page.get_by_role("link", name="Wallet", exact=True).click()
    expect(page.locator("#balance .big")).to_have_text("$45.7985")


def frozen_and_refused(page: Page, hub: Hub, charger: Any, shop: str) -> None:
    """Stop the device with one tap, and read why its next payment was refused."""
    page.get_by_role("link", name="Devices", exact=True).click()
    expect(page.locator(".says")).to_contain_text("May spend up to $20.00 a day.")
    page.get_by_role("button", name="Freeze Charger 7").click()
    expect(page.get_by_text("Charger 7 is frozen")).to_be_visible()
    refused = hub.pay(charger, shop, 1500)
    assert (refused.status_code, refused.json()["code"]) == (422, "account-frozen")
    page.get_by_role("link", name="Wallet", exact=True).click()
    expect(page.locator("#feed .row").first).to_contain_text("Refused: frozen by you")
    page.locator("#feed .row a").first.click()
    expect(page.locator(".receipt .fault").first).to_have_text("frozen by you")
    page.goto(f"{hub.url}/wallet/devices/{charger.id}")
    page.get_by_role("button", name="Unfreeze Charger 7").click()
    expect(page.get_by_role("button", name="Freeze Charger 7", exact=True)).to_be_visible()


def away_and_back(ada: Person, hub: Hub, charger: Any, shop: str) -> None:
    """Lose the line, see no figure that may not be true, and have all of it back by itself."""
    page = ada.page
    page.goto(f"{hub.url}/wallet")
    ada.context.set_offline(True)
    expect(page.get_by_text("What you see may have changed meanwhile.")).to_be_visible()
    page.goto(f"{hub.url}/wallet/devices")
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    assert page.locator(".amount").count() == 0
    assert hub.pay(charger, shop, 98_500).json()["state"] == "captured"
    ada.context.set_offline(False)
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()
    page.get_by_role("link", name="Wallet", exact=True).click()
    expect(page.locator("#balance .big")).to_have_text("$40.70")
