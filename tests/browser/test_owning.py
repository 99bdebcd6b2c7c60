"""An owner changes limits, moves money and loses the line, in a real browser."""

from playwright.sync_api import expect

from .chromium import Chromium, Hub


def test_limits_are_tried_as_they_are_typed_and_more_needs_the_finger(chromium: Chromium, hub: Hub):
    owner = hub.owner("Harbour Cranes")
    shop = hub.account(hub.owner("Tide Tables"), "till")
    day = [{"name": "day", "per": "day", "limit": "5000000"}]
    crane = hub.enrol(owner, hub.account(owner, "cranes", 9_000_000), "Crane 2", budgets=day)
    for amount in (1500, 400_000, 900_000):
        assert hub.pay(crane, shop, amount).json()["state"] == "captured"
    with chromium.person() as ada:
        page = ada.join(hub.link(owner, "Ada"))
        page.goto(f"{hub.url}/wallet/devices/{crane.id}")
        page.get_by_role("link", name="Change limits").click()
        expect(page.locator("#foreseen")).to_contain_text("none would have been asked about")
        page.get_by_label("Ask me above").fill("0.30")
        page.get_by_label("and at most this at once").fill("0.50")
        expect(page.locator("#foreseen")).to_contain_text(
            "Of 3 payments in the last 30 days 1 would have been asked about, 1 refused."
        )
        page.get_by_text("Where, what for and when").click()
        page.get_by_label("Tide Tables").check()
        expect(page.locator("#foreseen")).to_contain_text("Only at Tide Tables.")
        page.get_by_role("button", name="Read it back").click()
        expect(page.get_by_text("This allows no more than before.")).to_be_visible()
        page.get_by_role("button", name="Set these limits").click()
        expect(page.locator(".says")).to_contain_text("Asks you above $0.30.")
        assert hub.pay(crane, shop, 500_001).json()["code"] == "mandate-largest"

        page.get_by_role("link", name="Change limits").click()
        page.get_by_label("and at most this at once").fill("2")
        page.get_by_role("button", name="Read it back").click()
        expect(page.get_by_text("it needs your passkey")).to_be_visible()
        ada.verified(verified=False)
        page.get_by_role("button", name="Set these limits").click()
        expect(page.locator("[data-fault]")).to_contain_text("Nothing was done")
        ada.verified(verified=True)
        page.get_by_role("button", name="Set these limits").click()
        expect(page.locator(".says")).to_contain_text("At most $2.00 at once.")
        assert hub.pay(crane, shop, 500_001).json()["state"] == "awaiting"
        assert ada.troubles == []


def test_money_comes_and_goes_and_the_list_follows_by_itself(chromium: Chromium, hub: Hub):
    owner = hub.owner("Corner Kiosk")
    hub.account(owner, "kiosk")
    with chromium.person() as ada:
        page = ada.join(hub.link(owner, "Ada"))
        page.get_by_role("link", name="Money in and out").click()
        expect(page.get_by_text("nothing that moves here is money")).to_be_visible()
        page.locator("#in-amount").fill("5")
        page.locator("#in-place").select_option("slow")
        page.get_by_role("button", name="Bring it in").click()
        expect(page.locator("#moved .row")).to_contain_text("On its way to you")
        page.locator("#in-amount").fill("4")
        page.get_by_role("button", name="Bring it in").click()
        expect(page.locator("#balance .big")).to_have_text("$4.00")
        page.locator("#out-amount").fill("1.50")
        page.get_by_role("button", name="Read it back").click()
        page.get_by_role("button", name="Pay out $1.50").click()
        expect(page.locator("#moved .row").first).to_contain_text("Paid out")
        expect(page.locator("#balance .big")).to_have_text("$2.50")
        kept = ada.context.storage_state()
        assert ada.troubles == []
        with chromium.person(java_script_enabled=False, storage_state=kept) as quiet:
            quiet.page.goto(f"{hub.url}/wallet/money")
            quiet.page.locator("#in-amount").fill("0.25")
            quiet.page.locator("#in-place").select_option("fail")
            quiet.page.get_by_role("button", name="Bring it in").click()
            quiet.page.goto(f"{hub.url}/wallet/money")
            expect(quiet.page.locator("#moved")).to_contain_text("Declined. Nothing came in.")


NASTY = "<img src=x onerror='window.ran = 1'>\"{{7*7}}"


def test_what_people_write_runs_nowhere_where_pages_change_by_themselves(
    chromium: Chromium, hub: Hub
):
    owner = hub.owner(f"{NASTY} wallet")
    shop = hub.account(hub.owner(f"{NASTY} shop"), f"{NASTY} till")
    account = hub.account(owner, f"{NASTY} account", 9_000_000)
    device = hub.enrol(owner, account, f"{NASTY} device", ask_above="1000")
    with chromium.person() as ada:
        page = ada.join(hub.link(owner, f"{NASTY} Ada"))
        hub.pay(device, shop, 5, NASTY)
        expect(page.locator("#feed .row")).to_contain_text(f"{NASTY} shop")
        hub.pay(device, shop, 5_000, NASTY)
        expect(page.locator("#asks .ask")).to_contain_text(f"{NASTY} device")
        page.goto(f"{hub.url}/wallet/devices/{device.id}/limits")
        page.get_by_text("Where, what for and when").click()
        page.get_by_label("Only for these kinds of things").fill(f"x{NASTY[:40]}")
        expect(page.locator("#foreseen")).to_contain_text(f"Only for x{NASTY[:40]}")
        page.goto(f"{hub.url}/wallet/money")
        page.locator("#in-amount").fill("5")
        moving = {"account": account, "asset": "USD", "units": "5", "rail": "simulated"}
        hub.ask("POST", "/v1/topups", moving | {"place": NASTY})
        expect(page.locator("#moved .row").first).to_contain_text(NASTY)
        assert page.evaluate("window.ran") is None
        assert page.locator("img").count() == 1  # The mark of the hub.
        assert ada.troubles == []
