"""Whatever people write is text, every form is ours, and nobody learns who else is here."""

import re
from pathlib import Path

import pytest

from farthing.web.api.endpoint import Endpoint
from farthing.web.pages.app import PAGES
from tests.web.api.town import open_town

from .browser import HTML, ORIGIN, Browser

ANYBODYS = {"/", "/sign-in", "/join", "/offline", "/sw.js", "/static/{version}/{file}",
            "/notices/stop/{ticket}", "/a/{ask}",
            "/sign-in/organisation", "/sign-in/organisation/back",
            "/sign-in/organisation/out"}  # fmt: skip
"""What is there for who is not signed in."""
BY_LINK = {"/notices/stop/{ticket}", "/sign-in/organisation/told-out"}
"""Where the link, or a signed token, is the proof, and no session is looked at."""


def filled(endpoint: Endpoint) -> str:
    return re.sub(r"\{\w+\}", "x", endpoint.path)


@pytest.mark.rule("asvs.3.5.1", on="hub")
async def test_every_page_that_changes_something_wants_its_own_origin_and_mark(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada = await Browser(town).joined()
        changing = [one for one in PAGES if one.method == "POST" and one.path not in BY_LINK]
        assert len(changing) > 20
        for one in changing:
            form = {"csrf": await ada.mark()}
            for fields in ({}, {"origin": "https://evil.example"}):
                sent = await ada.http.post(filled(one), data=form, headers=HTML | fields)
                assert sent.status_code == 403, one.path
        before_signing_in = ("/sign-in/", "/join/", "/push/")  # A ticket is their mark.
        for one in changing:
            if not one.path.startswith(before_signing_in):
                bare = await ada.http.post(filled(one), headers={"origin": ORIGIN})
                assert bare.status_code in (400, 403), one.path


async def test_nothing_of_a_wallet_is_there_for_who_is_not_signed_in(tmp_path: Path):
    async with open_town(tmp_path) as town:
        stranger = Browser(town)
        shown = [one for one in PAGES if one.method == "GET" and one.path not in ANYBODYS]
        assert len(shown) > 10
        for one in shown:
            answer = await stranger.page(filled(one))
            gone = answer.status_code == 303 and answer.headers["location"] == "/sign-in"
            assert gone or answer.status_code == 401, one.path


async def test_nobody_is_sent_to_another_place(tmp_path: Path):
    async with open_town(tmp_path) as town:
        stranger = Browser(town)
        for path in ("/", "/sign-in", "/wallet/payments/pay_x"):
            by_number = await stranger.page(path, host="127.0.0.1:8402")
            assert by_number.headers["location"] == f"http://localhost:8402{path}"
        for path in ("/\\evil.example", "/%2f%2fevil.example/"):
            answer = await stranger.page(path)
            assert "location" not in answer.headers, path
        assert (await stranger.page("/", host="evil.example")).status_code == 421


async def test_a_code_that_was_never_good_looks_like_one_that_is_used_up(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada = Browser(town)
        used = await ada.invited()
        assert (await ada.join(used)).status_code == 200
        never = ("A" if used[0] != "A" else "B") + used[1:]
        told = [await Browser(town).post("/join/begin", {"code": code}) for code in (used, never)]
        assert {answer.status_code for answer in told} == {403}
        assert told[0].json() == told[1].json()


async def test_a_passkey_that_is_unknown_looks_like_one_that_signed_wrongly(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada, unknown, wrong = await Browser(town).joined(), Browser(town), Browser(town)
        wrong.key.ident = ada.key.ident  # Its name is known, its key is not.
        told = [await one.sign_in() for one in (unknown, wrong)]
        assert {answer.status_code for answer in told} == {401}
        assert told[0].json() == told[1].json()
