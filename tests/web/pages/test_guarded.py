"""What other people's pages, names and forms can do to a wallet: nothing."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farthing.codec import canonical_json
from tests.web.api.town import LOCAL, Town, open_town

from .browser import HTML, ORIGIN, Browser

FREEZE = "/wallet/devices/{device}/freeze"


@contextlib.asynccontextmanager
async def visited(folder: Path) -> AsyncIterator[tuple[Town, Browser]]:
    async with open_town(folder) as town:
        yield town, await Browser(town).joined()


async def frozen(town: Town) -> bool:
    shown = await town.made("GET", f"/v1/accounts/{town.accounts['purse']}", who=LOCAL)
    return shown["state"] == "frozen"


async def test_one_tap_freezes_and_one_unfreezes(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        path = FREEZE.format(device=town.machines["meter"].id)
        assert (await ada.submit(path, {})).status_code == 303
        assert await frozen(town)
        refused = await town.ask("POST", "/v1/payments", town.payment())
        assert refused.json()["code"] == "account-frozen"
        assert "frozen by you" in (await ada.page("/wallet")).text
        await ada.submit(path.replace("/freeze", "/unfreeze"), {})
        assert not await frozen(town)


@pytest.mark.rule("asvs.3.5.1", on="hub")
@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
        {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        {"origin": ORIGIN, "sec-fetch-site": "same-site"},
    ],
)
async def test_a_form_of_another_page_changes_nothing(tmp_path: Path, fields: dict[str, str]):
    async with visited(tmp_path) as (town, ada):
        path = FREEZE.format(device=town.machines["meter"].id)
        refused = await ada.submit(path, {}, **fields)
        assert refused.status_code == 403
        assert not await frozen(town)


async def test_a_form_without_an_origin_or_with_anothers_mark_changes_nothing(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        path = FREEZE.format(device=town.machines["meter"].id)
        bare = await ada.http.post(path, data={"csrf": await ada.mark()}, headers=HTML)
        assert bare.status_code == 403
        other = await Browser(town).joined()
        for mark in ("", "x", await other.mark()):
            assert (await ada.submit(path, {"csrf": mark})).status_code == 403
        assert not await frozen(town)


async def test_a_form_with_a_nul_in_it_is_refused_as_no_database_takes_one(tmp_path: Path):
    async with visited(tmp_path) as (_, ada):
        for key in ("\0", "key_\0"):
            refused = await ada.submit("/shop/keys/revoke", {"key": key}, accept="*/*")
            assert (refused.status_code, refused.json()["code"]) == (400, "malformed-form")


async def test_a_script_without_the_mark_gets_no_challenge(tmp_path: Path):
    async with visited(tmp_path) as (_, ada):
        told = await ada.post("/proofs", {"act": "recovery-codes", "subject": ""})
        assert (told.status_code, told.json()["code"]) == (403, "foreign-page")


async def test_nothing_is_changed_by_opening_a_page(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        path = FREEZE.format(device=town.machines["meter"].id)
        assert (await ada.page(path)).status_code == 405
        assert not await frozen(town)


async def test_revoking_needs_the_passkey(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        device = town.machines["meter"].id
        path = f"/wallet/devices/{device}/revoke"
        assert (await ada.submit(path, {})).status_code == 401
        proof = canonical_json(await ada.prove("revoke-device", device)).decode()
        assert (await ada.submit(path, {"proof": proof})).status_code == 303
        shown = await town.made("GET", f"/v1/devices/{device}", who=LOCAL)
        assert shown["revoked_at"]


async def test_nobody_sees_or_stops_what_is_anothers(tmp_path: Path):
    async with visited(tmp_path) as (town, _):
        paid = await town.pay()
        eve = await Browser(town).joined("seller")
        device = town.machines["meter"].id
        assert (await eve.page(f"/wallet/devices/{device}")).status_code == 404
        assert (await eve.submit(FREEZE.format(device=device), {})).status_code == 404
        shown = (await eve.page(f"/wallet/payments/{paid['id']}")).text
        assert "Payment received" in shown  # It was paid, and is told no name of who paid.
        assert "meter" not in shown
        assert not await frozen(town)


NASTY = "<script>alert(1)</script>\"'{{7*7}}"


@pytest.mark.rule("asvs.3.2", on="hub")
async def test_what_people_write_is_shown_and_never_run(tmp_path: Path):
    async with open_town(tmp_path) as town:
        made = await town.made("POST", "/v1/owners", {"name": NASTY}, who=LOCAL)
        town.owners["nasty"] = made["id"]
        body = {"asset": "USD", "owner": made["id"], "name": NASTY}
        town.accounts["nasty"] = (await town.made("POST", "/v1/accounts", body, who=LOCAL))["id"]
        credit = {"account": town.accounts["nasty"], "units": "900", "asset": "USD"}
        await town.made("POST", "/v1/credits", credit, who=LOCAL)
        mandate = await town.mandate("nasty", ask_above="50", categories=[NASTY])
        machine = await town.enrol(NASTY, "nasty", mandate)
        await town.made("POST", "/v1/payments", town.payment(5, payee="nasty", resource=NASTY))
        ada = Browser(town)
        code = await ada.invited("nasty", name=NASTY)
        assert (await ada.join(code)).status_code == 200
        paths = ["/wallet", "/wallet/devices", f"/wallet/devices/{machine.id}", "/account"]
        seen = [(await ada.page(path)).text for path in paths]
        assert all("<script>alert" not in page for page in seen)
        assert all(
            "49" not in re.sub(r"[0-9a-f]{16}", "", page) or "{{7*7}}" in page for page in seen
        )
        assert sum("&lt;script&gt;alert(1)" in page for page in seen) == len(paths)


@pytest.mark.rule("asvs.3.4.3", on="hub")
async def test_every_page_forbids_what_is_not_from_here(tmp_path: Path):
    async with visited(tmp_path) as (_, ada):
        for path in ("/wallet", "/sign-in", "/join", "/account", "/wallet/payments/pay_x"):
            answer = await ada.page(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert "style=" not in answer.text
            assert not re.search(r"\son\w+=", answer.text)
            assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)


async def test_what_is_served_as_it_is_is_kept_for_good_under_its_version(tmp_path: Path):
    async with visited(tmp_path) as (_, ada):
        found = re.search(r"/static/([0-9a-f]+)/app\.css", (await ada.page("/wallet")).text)
        assert found
        sheet = await ada.page(found[0])
        assert sheet.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert sheet.headers["content-type"] == "text/css; charset=utf-8"
        assert (sheet.headers["content-encoding"], sheet.headers["vary"]) == (
            "gzip", "accept-encoding",
        )  # fmt: skip
        plain = await ada.http.get(found[0], headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == sheet.content
        assert int(sheet.headers["content-length"]) < len(plain.content) / 2
        for other in (f"/static/{found[1]}/nothing.css", "/static/0000000000000000/app.css"):
            assert (await ada.page(other)).status_code == 404


async def test_the_hubs_own_socket_shows_no_pages(tmp_path: Path):
    async with open_town(tmp_path) as town:
        assert (await town.ask("GET", "/sign-in", who=LOCAL)).status_code == 404


async def test_the_console_is_for_who_looks_after_the_hub_and_is_not_there_for_others(
    tmp_path: Path,
):
    async with visited(tmp_path) as (town, ada):
        assert (await ada.page("/console")).status_code == 404
        assert "/console" not in (await ada.page("/wallet")).text
        held = await town.hold(2500)
        operator = Browser(town)
        code = await operator.invited("seller", roles=["owner", "operator"])
        assert (await operator.join(code)).status_code == 200
        shown = (await operator.page("/console")).text
        assert "Payments can be taken." in shown
        assert held["payment"] in shown
        assert 'href="/console"' in shown
        assert "person.signed_in" in shown
        assert (
            'state=held">held</a></td><td class="figure"><a href="/console/motion?state=held">1</a>'
            in shown
        )


async def test_sessions_are_listed_and_ended(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        phone = Browser(town)
        phone.key = ada.key
        assert (await phone.sign_in()).status_code == 200
        shown = (await ada.page("/account")).text
        handle = re.findall(r'name="session" value="([^"]+)"', shown)
        assert len(handle) == 1
        assert (
            await ada.submit("/account/sessions/end", {"session": handle[0]})
        ).status_code == 303
        assert (await phone.page("/wallet")).status_code == 303
        assert (await ada.page("/wallet")).status_code == 200


@pytest.mark.rule("asvs.7.5", on="hub")
async def test_nobody_ends_anothers_session(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        shown = Browser(town)
        shown.key = ada.key
        await shown.sign_in()
        handle = re.findall(r'name="session" value="([^"]+)"', (await ada.page("/account")).text)
        eve = await Browser(town).joined("seller")
        assert (
            await eve.submit("/account/sessions/end", {"session": handle[0]})
        ).status_code == 404
        assert (await shown.page("/wallet")).status_code == 200
