"""What an owner does in a real browser, apart from the whole of it."""

import re

from playwright.sync_api import Route, expect

from .chromium import Chromium, Hub


def test_what_happens_before_a_page_listens_is_shown_as_well(chromium: Chromium, hub: Hub):
    owner = hub.owner("Slow Lines")
    shop = hub.account(hub.owner("Kiosk"), "till")
    scooter = hub.enrol(owner, hub.account(owner, "fleet", 9_000_000), "Scooter 1", ask_above="1")
    late: list[Route] = []

    def keep(route: Route) -> None:
        late.append(route)

    with chromium.person() as ada:
        ada.page.route("**/wallet/live*", keep)
        page = ada.join(hub.link(owner, "Ada"))
        expect(page.get_by_text("Scooter 1")).to_be_visible()
        while not late:
            page.wait_for_timeout(20)
        hub.pay(scooter, shop, 2_000_000)
        late[0].continue_()
        expect(page.get_by_role("button", name="Approve $2.00")).to_be_visible()


def test_a_large_approval_needs_the_finger_each_time(chromium: Chromium, hub: Hub):
    owner = hub.owner("Acme Lockers")
    shop = hub.account(hub.owner("Press"), "till")
    locker = hub.enrol(owner, hub.account(owner, "fleet", 90_000_000), "Locker 1", ask_above="1")
    with chromium.person() as bob:
        page = bob.join(hub.link(owner, "Bob"))
        asked = hub.pay(locker, shop, 25_000_000).json()
        button = page.get_by_role("button", name="Approve $25.00")
        bob.verified(verified=False)
        button.click()
        expect(page.locator(".ask [data-fault]")).to_contain_text("Nothing was done")
        assert hub.ask("GET", f"/v1/payments/{asked['id']}")["state"] == "awaiting"
        bob.verified(verified=True)
        button.click()
        page.wait_for_url(f"**/wallet/payments/{asked['id']}")
        expect(page.locator(".receipt-top")).to_contain_text("Paid")
        assert bob.troubles == []


def test_without_javascript_one_reads_denies_and_approves_below_the_limit(
    chromium: Chromium, hub: Hub
):
    owner = hub.owner("Quiet Homes")
    shop = hub.account(hub.owner("Mill"), "till")
    meter = hub.enrol(owner, hub.account(owner, "house", 90_000_000), "Meter 41", ask_above="1")
    with chromium.person() as eve:
        eve.join(hub.link(owner, "Eve"))
        kept = eve.context.storage_state()
        small, large = (hub.pay(meter, shop, much).json() for much in (500_000, 30_000_000))
        with chromium.person(java_script_enabled=False, storage_state=kept) as quiet:
            page = quiet.page
            page.goto(f"{hub.url}/wallet")
            expect(page.locator("#balance .big")).to_have_text("$90.00")
            page.get_by_role("button", name="Approve $0.50").click()
            expect(page.locator(".receipt-top")).to_contain_text("Paid")
            page.goto(f"{hub.url}/wallet/payments/{large['id']}")
            page.get_by_role("button", name="Approve $30.00").click()
            expect(page.get_by_text("This needs your passkey")).to_be_visible()
            page.goto(f"{hub.url}/wallet/payments/{large['id']}")
            page.get_by_role("button", name="Deny").click()
            expect(page.get_by_text("you said no")).to_be_visible()
        states = [hub.ask("GET", f"/v1/payments/{one['id']}")["state"] for one in (small, large)]
        assert states == ["captured", "refused"]


def test_the_wallet_can_be_installed_on_a_phone(chromium: Chromium, hub: Hub):
    with chromium.person() as ada:
        ada.join(hub.link(hub.owner("Solo"), "Ada"))
        told = ada.devtools.send("Page.getAppManifest")
        assert told["errors"] == []
        assert "/static/" in told["url"]
        found = ada.devtools.send("Page.getInstallabilityErrors")
        wrong = {one["errorId"] for one in found["installabilityErrors"]}
        assert wrong <= {"in-incognito"}  # A context of its own counts as that.


def test_signing_out_and_in_again_and_a_second_passkey(chromium: Chromium, hub: Hub):
    owner = hub.owner("Fleet of one")
    with chromium.person() as ada:
        page = ada.join(hub.link(owner, "Ada"))
        page.get_by_role("link", name="Account").click()
        page.get_by_role("button", name="Make new codes").click()
        expect(page.locator(".codes li")).to_have_count(8)
        code = page.locator(".codes li").first.inner_text()
        assert re.fullmatch(r"([A-Z2-9]{5}-){3}[A-Z2-9]{5}", code)
        page.get_by_role("button", name="Sign out", exact=True).click()
        page.wait_for_url("**/sign-in")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url("**/wallet")
        page.goto(f"{hub.url}/account")  # The wallet would leave by itself, in the midst of this.
        with chromium.person() as anew:  # Every passkey is lost, and a code is left.
            lost = anew.page
            lost.goto(f"{hub.url}/join")
            lost.get_by_label("Code").fill(code.lower())
            lost.get_by_role("button", name="Make a passkey").click()
            lost.wait_for_url("**/wallet")
        page.goto(f"{hub.url}/wallet")
        page.wait_for_url("**/sign-in")  # Recovery has ended every other session.
        assert ada.troubles == []
