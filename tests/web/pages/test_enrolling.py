"""A new device may what was read back and confirmed, and nothing else makes one."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farthing.codec import canonical_json
from farthing.keys import new_signer
from tests.web.api.town import LOCAL, Town, enrolment, open_town

from .browser import Browser

CHECK, MAKE = "/wallet/devices/new/check", "/wallet/devices/new/make"


@contextlib.asynccontextmanager
async def adding(folder: Path) -> AsyncIterator[tuple[Town, Browser, dict[str, str]]]:
    async with open_town(folder) as town:
        form = {"account": town.accounts["purse"], "name": "Bike 12", "budget": "5", "per": "week",
                "largest": "0.5", "ask_above": ""}  # fmt: skip
        yield town, await Browser(town).joined(), form


async def subject(ada: Browser, form: dict[str, str]) -> str:
    shown = (await ada.submit(CHECK, form)).text
    found = re.search('data-subject="([^"]+)"', shown)
    assert found, shown
    return found[1]


async def test_a_device_is_made_as_it_was_read_back(tmp_path: Path):
    async with adding(tmp_path) as (town, ada, form):
        proof = canonical_json(await ada.prove("enrol-device", await subject(ada, form))).decode()
        shown = (await ada.submit(MAKE, form | {"proof": proof})).text
        code = re.search("data-code>([^<]+)<", shown)
        assert code
        assert 'class="qr"' in shown
        taken = await town.made("POST", "/v1/devices/enrol", enrolment(code[1], new_signer()))
        mandate = await town.made("GET", f"/v1/mandates/{taken['mandate']}", who=LOCAL)
        assert (mandate["largest"], mandate["ask_above"]) == ("500000", None)
        assert [(one["per"], one["limit"]) for one in mandate["budgets"]] == [("week", "5000000")]
        again = await ada.submit(MAKE, form | {"proof": proof})
        assert again.status_code in (401, 409)


async def test_no_device_is_made_without_a_passkey_or_on_other_terms(tmp_path: Path):
    async with adding(tmp_path) as (town, ada, form):
        before = await town.made("GET", "/v1/mandates", who=LOCAL)
        assert (await ada.submit(MAKE, form)).status_code == 401
        proof = canonical_json(await ada.prove("enrol-device", await subject(ada, form))).decode()
        more = form | {"budget": "500", "proof": proof}
        assert (await ada.submit(MAKE, more)).status_code == 401
        assert await town.made("GET", "/v1/mandates", who=LOCAL) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", "acc_01m8as21r3mdmtv1ecdc75xsr0"), ("name", ""), ("name", "x" * 61),
        ("name", "a\nb"), ("budget", "-5"), ("budget", "5.0000001"), ("budget", "1e3"),
        ("largest", "a lot"), ("per", "90s"), ("ask_above", "5 USD"),
    ],
)  # fmt: skip
async def test_what_cannot_be_meant_is_refused(tmp_path: Path, field: str, value: str):
    async with adding(tmp_path) as (_, ada, form):
        assert (await ada.submit(CHECK, form | {field: value})).status_code in (400, 404)


async def test_nobody_adds_a_device_to_anothers_account(tmp_path: Path):
    async with adding(tmp_path) as (town, _, form):
        eve = await Browser(town).joined("seller")
        assert (await eve.submit(CHECK, form)).status_code == 404


async def test_in_german_a_comma_is_the_point(tmp_path: Path):
    async with adding(tmp_path) as (_, ada, form):
        shown = await ada.submit(CHECK, form | {"budget": "0,50"}, **{"accept-language": "de"})
        assert "in der Woche" in shown.text
