"""People sign in by passkey, and by nothing weaker."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farthing.core.signed_in import IDLE_SECONDS, LASTS_SECONDS
from farthing.services.challenges import SECONDS
from farthing.services.people import LINK_SECONDS
from farthing.settings import Server
from farthing.testing.worlds import HandClock
from tests.web.api.town import LOCAL, Town, config_in, open_town

from .authenticator import Authenticator
from .browser import ORIGIN, Browser


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Town, Browser]]:
    clock = HandClock()
    async with open_town(folder, clock=clock) as town:
        yield town, Browser(town)


async def test_a_person_joins_by_a_link_and_sees_the_balance(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        assert (await ada.page("/wallet")).headers["location"] == "/sign-in"
        joined = await ada.join(await ada.invited())
        assert joined.json() == {"go": "/wallet"}
        shown = await ada.page("/wallet")
        assert shown.status_code == 200
        assert '1<span class="part"><span class="minor">.00</span></span>' in shown.text
        assert (await ada.page("/")).headers["location"] == "/wallet"


async def test_a_person_signs_out_and_in_again(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        await ada.joined()
        assert (await ada.submit("/sign-out", {})).headers["location"] == "/sign-in"
        assert (await ada.page("/wallet")).status_code == 303
        assert (await ada.sign_in()).status_code == 200
        assert (await ada.page("/wallet")).status_code == 200


@pytest.mark.rule("asvs.3.3", on="hub")
async def test_the_cookie_is_for_this_host_alone_and_no_script_reads_it(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        answer = await ada.join(await ada.invited())
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("farthing-8402=")
        assert "; HttpOnly; SameSite=Lax" in cookie
        assert "Domain" not in cookie


async def test_over_tls_the_cookie_is_a_host_cookie(tmp_path: Path):
    config = config_in(tmp_path, public_url="https://hub.test")
    async with open_town(tmp_path, config=config) as town:
        ada = Browser(town)
        ada.key = Authenticator("https://hub.test")
        told = await ada.post("/sign-in/begin", {}, origin="https://hub.test")
        assert told.json()["options"]["rpId"] == "hub.test"
        code = await ada.invited()
        assert ada.person["link"].startswith("https://hub.test/join#")
        begun = await ada.post("/join/begin", {"code": code}, origin="https://hub.test")
        made = {"code": code, **ada.key.make(begun.json())}
        done = await ada.post("/join/finish", made, origin="https://hub.test")
        assert done.headers["set-cookie"].startswith("__Host-farthing=")
        assert done.headers["set-cookie"].endswith("; Secure")
        assert "max-age" in done.headers["strict-transport-security"]


async def test_a_link_is_good_once_and_for_a_day(tmp_path: Path):
    async with opened(tmp_path) as (town, ada):
        code = await ada.invited()
        assert (await ada.join(code)).status_code == 200
        again = await Browser(town).post("/join/begin", {"code": code})
        assert (again.status_code, again.json()["code"]) == (403, "bad-sign-in-code")
        late = await ada.invited()
        town.clock.move(LINK_SECONDS + 1)
        assert (await ada.post("/join/begin", {"code": late})).status_code == 403


async def test_a_link_that_two_use_at_once_lets_one_in(tmp_path: Path):
    async with opened(tmp_path) as (town, ada):
        code, eve = await ada.invited(), Browser(town)
        mine, hers = await ada.told("/join/begin", {"code": code}), None
        hers = await eve.told("/join/begin", {"code": code})
        assert (await ada.post("/join/finish", {"code": code, **ada.key.make(mine)})).is_success
        late = await eve.post("/join/finish", {"code": code, **eve.key.make(hers)})
        assert late.status_code == 403
        assert (await eve.page("/wallet")).status_code == 303


async def test_another_link_lets_one_back_in_who_lost_every_passkey(tmp_path: Path):
    async with opened(tmp_path) as (town, ada):
        await ada.joined()
        path = f"/v1/people/{ada.person['id']}/links"
        link = (await town.made("POST", path, who=LOCAL))["link"]
        anew = Browser(town)
        assert (await anew.join(link.partition("#")[2])).status_code == 200
        assert (await anew.page("/wallet")).status_code == 200
        assert (await ada.page("/wallet")).status_code == 303  # That browser may be lost as well.


async def test_another_link_takes_the_place_of_those_before(tmp_path: Path):
    async with opened(tmp_path) as (town, ada):
        first = await ada.invited()
        path = f"/v1/people/{ada.person['id']}/links"
        second, third = [
            (await town.made("POST", path, who=LOCAL))["link"].partition("#")[2] for _ in range(2)
        ]
        codes = (first, second, third)
        told = [(await ada.post("/join/begin", {"code": code})).status_code for code in codes]
        assert told == [403, 403, 200]


@pytest.mark.rule("asvs.7.4", on="hub")
async def test_whoever_is_removed_is_out_at_once_and_cannot_come_back(tmp_path: Path):
    async with opened(tmp_path) as (town, ada):
        await ada.joined()
        await town.made("POST", f"/v1/people/{ada.person['id']}/remove", who=LOCAL)
        assert (await ada.page("/wallet")).status_code == 303
        refused = await ada.sign_in()
        assert (refused.status_code, refused.json()["code"]) == (401, "bad-passkey")


@pytest.mark.rule("asvs.7.3", on="hub")
async def test_a_session_ends_when_nobody_was_there_and_in_any_case(tmp_path: Path):
    async with opened(tmp_path) as (town, ada):
        await ada.joined()
        town.clock.move(IDLE_SECONDS + 1)
        assert (await ada.page("/wallet")).status_code == 303
        await ada.sign_in()
        for _ in range(LASTS_SECONDS // (IDLE_SECONDS - 60)):
            town.clock.move(IDLE_SECONDS - 60)
            assert (await ada.page("/wallet")).status_code == 200
        town.clock.move(IDLE_SECONDS - 60)
        assert (await ada.page("/wallet")).status_code == 303


@pytest.mark.rule("asvs.7.2.4", on="hub")
async def test_a_sign_in_makes_a_new_session_and_ends_the_one_before(tmp_path: Path):
    async with opened(tmp_path) as (town, ada):
        ada.http.cookies.set("farthing-8402", "planted", domain="localhost.local")
        await ada.joined()
        first = ada.http.cookies["farthing-8402"]
        assert first != "planted"
        await ada.sign_in()
        assert ada.http.cookies["farthing-8402"] != first
        eve = Browser(town)
        eve.http.cookies.set("farthing-8402", first, domain="localhost.local")
        assert (await eve.page("/wallet")).status_code == 303


async def test_a_challenge_is_good_once(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        await ada.joined()
        shown = ada.key.show(await ada.told("/sign-in/begin"))
        assert (await ada.post("/sign-in/finish", shown)).status_code == 200
        again = await ada.post("/sign-in/finish", shown)
        assert again.status_code in (401, 409)


async def test_a_challenge_is_good_once_for_a_passkey_that_counts_nothing(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        await ada.joined()
        told = await ada.told("/sign-in/begin")
        ada.key.count = -1  # So that it signs with 0, as synced passkeys do.
        shown = ada.key.show(told)
        assert (await ada.post("/sign-in/finish", shown)).status_code == 200
        again = await ada.post("/sign-in/finish", shown)
        assert (again.status_code, again.json()["code"]) == (409, "challenge-used")


async def test_a_challenge_is_good_for_five_minutes(tmp_path: Path):
    async with opened(tmp_path) as (town, ada):
        await ada.joined()
        shown = ada.key.show(await ada.told("/sign-in/begin"))
        town.clock.move(SECONDS)
        late = await ada.post("/sign-in/finish", shown)
        assert (late.status_code, late.json()["code"]) == (401, "bad-challenge")


async def test_another_sites_signature_signs_nobody_in(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        await ada.joined()
        ada.key.origin = "https://farthlng.example"
        assert (await ada.sign_in()).status_code == 401


async def test_a_passkey_that_did_not_verify_its_person_signs_nobody_in(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        await ada.joined()
        ada.key.flags = 0x01
        assert (await ada.sign_in()).status_code == 401
        ada.key.flags = 0x05
        assert (await ada.sign_in()).status_code == 200


async def test_a_passkey_whose_count_goes_back_was_copied(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        await ada.joined()
        await ada.sign_in()
        ada.key.count = 0
        assert (await ada.sign_in()).status_code == 401


async def test_another_key_under_a_known_passkeys_name_signs_nobody_in(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        await ada.joined()
        ada.key = Authenticator(ORIGIN, ident=ada.key.ident)
        assert (await ada.sign_in()).status_code == 401


@pytest.mark.parametrize(
    "body",
    [{}, {"ticket": "x", "answer": {}}, {"ticket": 1}, [], {"ticket": "", "answer": {"id": 3}}],
)
async def test_nonsense_is_refused_and_no_fault_of_ours(tmp_path: Path, body: object):
    async with opened(tmp_path) as (_, ada):
        assert (await ada.post("/sign-in/finish", body)).status_code in (400, 401)
        assert (await ada.post("/join/finish", body)).status_code in (400, 401, 403)


async def test_by_this_machines_number_one_is_sent_to_its_name(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        moved = await ada.http.get("/join", headers={"host": "127.0.0.1:8402"})
        assert moved.headers["location"] == "http://localhost:8402/join"


async def test_a_foreign_name_that_leads_here_is_refused(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        for host in ("evil.example", "localhost.evil.example:8402", "10.0.0.7:8402"):
            refused = await ada.http.get("/sign-in", headers={"host": host, "accept": "text/html"})
            assert refused.status_code == 421, host


async def test_what_is_no_host_is_refused_and_no_fault_of_ours(tmp_path: Path):
    async with opened(tmp_path) as (_, ada):
        for host in ("localhost:65536", "127.0.0.1:99999", "[1.2.3.4]:8402", "[:::]"):
            for path in ("/", "/sign-in", "/v1/hub"):
                refused = await ada.http.get(path, headers={"host": host})
                told = (refused.status_code, refused.json()["code"])
                assert told == (400, "bad-host"), (host, path)


def test_a_hub_with_a_public_url_names_it_in_links():
    assert Server(public_url="https://hub.test").url() == "https://hub.test"


async def test_whoever_guesses_codes_is_stopped(tmp_path: Path):
    async with opened(tmp_path) as (town, ada):
        limit = town.hub.desk.config.limits.failures_per_minute
        stranger = {"client": ("203.0.113.7", 4711)}
        ada.http._transport.client = stranger["client"]
        told: list[int] = []
        for number in range(limit + 5):
            body = {"code": f"{number:05}-AAAAA-AAAAA-AAAAA"}
            told.append((await ada.post("/join/begin", body)).status_code)
        assert set(told[:limit]) == {403}
        assert set(told[limit:]) == {429}
