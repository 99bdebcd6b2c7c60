"""What somebody found who knew the documents alone; each was a hole or a rough edge."""

import hashlib
from pathlib import Path

import pytest

from farthing.clock import system_clock
from farthing.testing.worlds import HandClock
from tests.cli.runner import Terminal
from tests.web.api.town import open_town


async def test_a_capture_that_comes_as_the_hold_ends_is_told_so_at_once(tmp_path: Path):
    clock = HandClock(system_clock())
    async with open_town(tmp_path, clock=clock) as town:
        held = (await town.hold(seconds=1))["payment"]
        clock.move(2)
        for _ in range(2):
            late = await town.ask("POST", f"/v1/payments/{held}/capture", who="seller.seller")
            assert (late.status_code, late.json()["code"]) == (409, "not-held")


@pytest.mark.rule("rfc9530.compared", on="hub")
async def test_a_body_that_is_not_what_its_digest_says_is_refused(tmp_path: Path):
    zeros = {"content-digest": "sha-256=:" + "A" * 43 + "=:"}
    body = {"asset": "USD"}
    async with open_town(tmp_path) as town:
        wrong = await town.ask("POST", "/v1/accounts", body, who="buyer.owner", headers=zeros)
        assert (wrong.status_code, wrong.json()["code"]) == (400, "digest-mismatch")


async def test_an_owner_gives_a_key_that_only_reads(tmp_path: Path):
    async with open_town(tmp_path) as town:
        made = await town.ask("POST", "/v1/keys", {"scopes": ["read"]}, who="buyer.owner")
        assert made.status_code == 201
        more = await town.ask("POST", "/v1/keys", {"scopes": ["operator"]}, who="buyer.owner")
        assert (more.status_code, more.json()["code"]) == (403, "scope-missing")


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path / "home")
    assert terminal("init", "--json").code == 0
    return terminal


def files_of(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_a_backup_takes_no_other_files_place(farthing: Terminal, tmp_path: Path):
    hub = next(path.parent for path in (tmp_path / "home").rglob("farthing.db"))
    before = files_of(hub)
    assert len(before) >= 4
    for file in before:
        refused = farthing("backup", file)
        assert refused.code != 0 and "file-exists" in refused.err, file
    assert files_of(hub) == before


def test_a_backup_takes_the_place_of_an_older_one_of_the_same_hub(
    farthing: Terminal, tmp_path: Path
):
    copy = str(tmp_path / "books.backup")
    assert farthing("backup", copy).code == farthing("backup", copy).code == 0
    other = Terminal(tmp_path / "other")
    assert other("init").code == 0
    refused = other("backup", copy)
    assert refused.code != 0 and "another hub" in refused.err
