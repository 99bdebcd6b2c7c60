"""A device's ladders: the counter on disk before a tick is shown, and no value sold twice."""

import contextlib
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from farthing.core.promises import promised_by, ticked
from farthing.core.ticks import LADDER_TICKS_MAX, read_tick
from farthing.core.vouchers import read_voucher
from farthing.errors import Conflict, Malformed, PaymentRefused
from farthing.session_files import SessionFiles, Shown
from tests.device.test_sessions import KEPT, SESSION, SIGNER, TARIFF, device_of
from tests.web.api.town import open_town

FORK = multiprocessing.get_context("fork")


def worth(shown: Shown) -> int:
    """Say what a voucher and its tick promise, as whoever hears them finds out."""
    promise = promised_by(read_voucher(shown.voucher).claims, shown.voucher)
    return ticked(promise, read_tick(shown.tick)).units if shown.tick else promise.units


def files_in(path: Path, deposit: int = 100) -> SessionFiles:
    files = SessionFiles(path)
    files.keep(msgspec.structs.replace(KEPT, deposit=deposit))
    return files


class Signs:
    """Signs as the device does, and counts how often; or dies of it."""

    public = SIGNER.public

    def __init__(self, *, dies: bool = False) -> None:
        self.times, self.dies = 0, dies

    def sign(self, message: bytes) -> bytes:
        self.times += 1
        if self.dies:
            raise KeyboardInterrupt
        return SIGNER.sign(message)


def test_a_ladder_is_signed_once_and_each_tick_promises_the_next_units(tmp_path: Path):
    files, signer = files_in(tmp_path), Signs()
    first = files.climb(SESSION, 3, 3, signer)
    for units, promised in ((4, 6), (9, 9), (50, 51), (99, 99)):
        shown = files.climb(SESSION, units, 3, signer)
        assert shown.voucher == first.voucher
        assert (worth(shown), len(shown.tick)) == (promised, 28)
        assert files.read(SESSION).promised == promised
        assert files.shown(SESSION, signer) == shown
        files = SessionFiles(tmp_path)  # As after a restart: all that counts is on disk.
    assert signer.times == 1


def test_nothing_less_is_climbed_and_no_part_of_a_tick_beyond_the_deposit(tmp_path: Path):
    files = files_in(tmp_path)
    files.climb(SESSION, 50, 7, SIGNER)
    for units, error in ((56, Conflict), (0, Conflict), (99, PaymentRefused), (-1, Malformed)):
        with pytest.raises(error):
            files.climb(SESSION, units, 7, SIGNER)
    with pytest.raises(Malformed):
        files.climb(SESSION, 60, 0, SIGNER)
    assert files.read(SESSION).promised == 56


def test_the_counter_is_on_disk_before_a_ladder_is_signed(tmp_path: Path):
    files = files_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        files.climb(SESSION, 40, 10, Signs(dies=True))
    assert SessionFiles(tmp_path).read(SESSION).promised == 40
    with pytest.raises(Conflict):
        files.climb(SESSION, 40, 10, SIGNER)
    shown = SessionFiles(tmp_path).shown(SESSION, SIGNER)
    assert worth(shown) == 40
    assert files.climb(SESSION, 41, 10, SIGNER).voucher == shown.voucher


@pytest.mark.parametrize("between", ["another step", "a voucher", "a top-up"])
def test_a_new_ladder_has_a_seed_of_its_own_and_begins_at_what_is_promised(
    tmp_path: Path, between: str
):
    """Else a value that was shown for one unit would be worth ten under the next voucher."""
    files = files_in(tmp_path)
    old = files.climb(SESSION, 20, 1, SIGNER)
    seed, each = files.read(SESSION).ladder.seed, 1
    if between == "another step":
        each = 10
    elif between == "a voucher":
        files.promise(SESSION, 30, SIGNER)
    else:
        files.climb(SESSION, 100, 1, SIGNER)
        files.add(SESSION, 50)
    before = files.read(SESSION)
    new = files.climb(SESSION, before.promised + 1, each, SIGNER)
    after, claims = files.read(SESSION), read_voucher(new.voucher).claims
    assert after.ladder.seed != seed
    assert claims.ladder.anchor != read_voucher(old.voucher).claims.ladder.anchor
    assert (claims.units, claims.sequence) == (before.promised, before.sequence + 1)
    assert worth(new) == after.promised == before.promised + each


def test_what_is_too_far_for_a_ladder_is_promised_by_its_voucher(tmp_path: Path):
    files = files_in(tmp_path, 200_000)
    shown = files.climb(SESSION, 150_000, 1, SIGNER)
    assert (worth(shown), read_voucher(shown.voucher).claims.units) == (150_000, 149_999)
    ladder = files.read(SESSION).ladder
    assert (ladder.base, ladder.most) == (149_999, 50_001)
    assert files_in(tmp_path, 10**9).climb(SESSION, 1, 1, SIGNER)
    assert files.read(SESSION).ladder.most == LADDER_TICKS_MAX


@pytest.mark.parametrize(
    "wrong",
    [{"seed": "AA"}, {"seed": "!"}, {"base": 2}, {"most": 1}, {"each": 3}, {"voucher": "!"}],
)
def test_a_damaged_ladder_is_named_and_never_climbed(tmp_path: Path, wrong: dict):
    files = files_in(tmp_path)
    files.climb(SESSION, 20, 4, SIGNER)
    kept = files.read(SESSION)
    ladder = msgspec.structs.replace(kept.ladder, **wrong)
    files.keep(msgspec.structs.replace(kept, ladder=ladder))
    with pytest.raises(Malformed) as raised:
        files.climb(SESSION, 24, 4, SIGNER)
    assert raised.value.code == "malformed-session-file"


def _climb(path: Path, count: int, told: int, together: Any = None) -> None:
    files = SessionFiles(path)
    if together is not None:
        together.wait()
    for _ in range(count):
        with contextlib.suppress(Conflict):
            shown = files.climb(SESSION, files.read(SESSION).promised + 1, 1, SIGNER)
            os.write(told, shown.voucher[-8:] + shown.tick[8:12])
    os._exit(0)


def _heard(pipe: int) -> list[int]:
    with os.fdopen(pipe, "rb") as file:
        raw = file.read()
    assert len({raw[i : i + 8] for i in range(0, len(raw), 12)}) <= 1  # One ladder for all.
    return [int.from_bytes(raw[i + 8 : i + 12], "big") for i in range(0, len(raw), 12)]


def test_two_processes_never_show_the_same_tick_twice(tmp_path: Path):
    files = files_in(tmp_path)
    reading, telling = os.pipe()
    climbing = (tmp_path, 20, telling, FORK.Barrier(2))
    both = [FORK.Process(target=_climb, args=climbing) for _ in range(2)]
    for process in both:
        process.start()
    os.close(telling)
    for process in both:
        process.join()
        assert process.exitcode == 0
    heard = _heard(reading)
    assert len(heard) == len(set(heard)) >= 20
    assert max(heard) == files.read(SESSION).promised


def test_a_device_that_is_killed_never_shows_less_than_before(tmp_path: Path):
    files = files_in(tmp_path, 10_000)
    shown = 0
    for _ in range(3):
        reading, telling = os.pipe()
        process = FORK.Process(target=_climb, args=(tmp_path, 10_000, telling))
        process.start()
        os.close(telling)
        first = os.read(reading, 12)  # It is in the midst of it.
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        heard = [int.from_bytes(first[8:], "big"), *_heard(reading)]
        assert min(heard) > shown
        shown = max(heard)
        assert shown <= files.read(SESSION).promised


async def test_a_device_draws_a_session_at_a_hub_by_ticks(tmp_path: Path):
    async with open_town(tmp_path / "hub") as town:
        device, wire = device_of(town, tmp_path / "purse")
        kept = await device.open(town.accounts["shop"], TARIFF, 500, lifetime_seconds=600)
        asked = town.hub.desk.sessions
        for units in (3, 6, 480):
            told = await device.draw(kept.session, units, 3)
            assert (told["promised"], told["ticks"]) == (str(units), str(units // 3))
        # An answer that is lost costs nothing: the next tick is worth what both are.
        wire.losing = 1
        with pytest.raises(Exception, match="lost"):
            await device.draw(kept.session, 483, 3)
        again, _ = device_of(town, tmp_path / "purse")
        assert (await again.draw(kept.session, 486, 3))["promised"] == "486"
        assert (await asked.find(kept.session)).voucher == again.files.shown(
            kept.session, town.machines["meter"].signer
        ).voucher
        closed = await town.made("POST", f"/v1/sessions/{kept.session}/close", who="seller.seller")
        assert (closed["captured"], await town.available("shop")) == ("486", 486)


async def test_a_tick_that_the_hub_finds_too_far_goes_with_its_voucher(tmp_path: Path):
    async with open_town(tmp_path / "hub") as town:
        device, _ = device_of(town, tmp_path / "purse")
        kept = await device.open(town.accounts["shop"], TARIFF, 20_000, lifetime_seconds=600)
        await device.draw(kept.session, 1, 1)
        assert (await device.draw(kept.session, 9_000, 1))["promised"] == "9000"
