"""Orders are scored once they are answered; what is wrong with a model leaves rules to judge."""

import asyncio
import json
import random
import time
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from farthing.clock import NS
from farthing.core.payments import State
from farthing.errors import Conflict, Malformed, Missing
from farthing.keys import new_signer
from farthing.risk.kept import Kept, digest_of, write_kept
from farthing.risk.training import Seen, train
from farthing.risk.traits import NAMES
from farthing.services import scorers as scorers_module
from farthing.services import scoring as scoring_module
from farthing.services.model_shelf import Shelf
from farthing.services.scorers import FIRST, Scorers
from farthing.services.scoring import Scoring, append
from farthing.services.signals import Signal
from farthing.threads import Threads

SIGNER = new_signer()
NOW = 1_790_000_000


def drawn(count: int, seed: int = 1) -> list[list[int]]:
    dice = random.Random(seed)
    return [[dice.randrange(0, 3000) for _ in NAMES] for _ in range(count)]


def model(seed: int = 1) -> Kept:
    return train("detector", Seen(drawn(300, seed), [False] * 300, list(range(300))), NOW)


def clock() -> int:
    return NOW * NS


@pytest.fixture
def shelf(tmp_path) -> Shelf:
    return Shelf(tmp_path / "models", {SIGNER.public}.__contains__)


def promoted(shelf: Shelf, role="champion", seed=1) -> str:
    name = shelf.add(model(seed))
    shelf.give(role, name, SIGNER, clock)
    return name


def test_nobody_scores_before_somebody_is_promoted(shelf: Shelf):
    name = shelf.add(model())
    scorers = Scorers(shelf)
    scorers.look()
    assert (scorers.by_role, scorers.faults) == ({}, {})
    shelf.give("champion", name, SIGNER, clock)
    scorers.look()
    assert scorers.by_role["champion"].name == name


def test_a_model_has_one_role_and_can_be_retired(shelf: Shelf):
    first, second = promoted(shelf), promoted(shelf, "challenger", seed=2)
    roles = shelf.give("champion", second, SIGNER, clock)
    assert (roles.champion.name, roles.challenger) == (second, None)
    with pytest.raises(Conflict):
        shelf.retire(first, SIGNER, clock)
    assert shelf.retire(second, SIGNER, clock).champion is None
    assert [one.name for one in shelf.all()] == sorted([first, second])
    for name in ("detector-000000000000", "../keys/root", "a\0b"):
        with pytest.raises(Missing):
            shelf.give("champion", name, SIGNER, clock)


def spoil_signature(shelf: Shelf, _name: str) -> None:
    file = shelf.folder / "roles.json"
    told = json.loads(file.read_text())
    told["at"] += 1
    file.write_text(json.dumps(told))


def sign_as_another(shelf: Shelf, name: str) -> None:
    shelf.give("champion", name, new_signer(), clock)


def change_the_model(shelf: Shelf, name: str) -> None:
    (shelf.folder / f"{name}.json").write_bytes(write_kept(model(seed=5)))


def lose_the_model(shelf: Shelf, name: str) -> None:
    (shelf.folder / f"{name}.json").unlink()


def make_it_a_pickle(shelf: Shelf, _name: str) -> None:
    (shelf.folder / "roles.json").write_bytes(b"\x80\x04\x95")


def make_it_long(shelf: Shelf, name: str) -> None:
    (shelf.folder / f"{name}.json").write_bytes(b" " * (17 << 20))


@pytest.mark.parametrize(
    "harm",
    [
        spoil_signature,
        sign_as_another,
        change_the_model,
        lose_the_model,
        make_it_a_pickle,
        make_it_long,
    ],
)
def test_a_model_that_nobody_promoted_as_it_is_does_not_score(shelf: Shelf, harm):
    name = promoted(shelf)
    harm(shelf, name)
    scorers = Scorers(shelf)
    with capture_logs() as logs:
        scorers.look()
        scorers.look()
    assert scorers.by_role == {}
    assert list(scorers.faults) == ["champion"]
    assert [line["event"] for line in logs] == ["risk.model_failed"]
    scorers.remember(NOW, drawn(1)[0])
    scorers.make_first(NOW)
    assert scorers.by_role == {}
    shelf.folder.joinpath(f"{name}.json").write_bytes(write_kept(model()))
    shelf.give("champion", name, SIGNER, clock)
    scorers.look()
    assert scorers.by_role["champion"].name == name


def test_who_breaks_is_taken_off_and_the_other_goes_on(shelf: Shelf):
    promoted(shelf)
    promoted(shelf, "challenger", seed=2)
    scorers = Scorers(shelf)
    scorers.look()
    breaks = scorers.by_role["champion"]._replace(rank=lambda _traits: 1 // 0)
    scorers.by_role["champion"] = breaks
    found = scorers.ranks(drawn(3))
    assert list(found) == ["challenger"]
    assert "ZeroDivisionError" in scorers.faults["champion"]


def test_who_is_slow_is_taken_off(shelf: Shelf, monkeypatch):
    promoted(shelf)
    scorers = Scorers(shelf)
    scorers.look()
    rank = scorers.by_role["champion"].rank
    waits = scorers.by_role["champion"]._replace(rank=lambda one: time.sleep(0.001) or rank(one))
    scorers.by_role["champion"] = waits
    monkeypatch.setattr(scorers_module, "SLOW_SECONDS", 0.0005)
    assert len(scorers.ranks(drawn(64))["champion"]) == 64
    assert scorers.faults == {}  # It had to wait its turn: the machine is slow, and not the model.
    scorers.by_role["champion"] = waits._replace(rank=lambda one: worked(0.001) or rank(one))
    assert len(scorers.ranks(drawn(64))["champion"]) == 64
    assert "ms for an order" in scorers.faults["champion"]
    assert scorers.ranks(drawn(2)) == {}


def worked(seconds: float) -> None:
    """Keep the processor busy."""
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


def test_drift_is_looked_at_every_ten_minutes_once_there_is_enough(shelf: Shelf):
    promoted(shelf)
    scorers = Scorers(shelf)
    scorers.look()

    def come(rows: list[list[int]], now: int) -> None:
        for row in rows:
            scorers.remember(now, row)
        scorers.ranks(rows)
        scorers.measure_drift(now)

    come(drawn(199, seed=9), NOW)
    assert scorers.drifts == {}
    come(drawn(100, seed=8), NOW)
    found = scorers.drifts["champion"]
    assert (found.at, found.orders) == (NOW, 299)
    assert found.score < 0.25
    moved = [[1, *row[1:]] for row in drawn(1800, seed=7)]
    come(moved, NOW + 599)
    assert scorers.drifts["champion"] == found
    come([], NOW + 600)
    after = scorers.drifts["champion"]
    assert (after.orders, after.trait) == (2000, NAMES[0])
    assert after.most > 1
    promoted(shelf, seed=4)
    scorers.look()
    assert scorers.drifts == {}


def test_a_hub_makes_a_detector_of_what_it_saw_until_somebody_is_promoted(shelf: Shelf):
    scorers = Scorers(shelf)
    scorers.look()
    for at, row in enumerate(drawn(1000)):
        scorers.make_first(NOW)
        assert scorers.by_role == {}
        scorers.remember(at, row)
    scorers.make_first(NOW)
    made = scorers.by_role["champion"]
    assert made.name == FIRST
    scorers.make_first(NOW + 86_399)
    assert scorers.by_role["champion"] is made
    scorers.make_first(NOW + 86_400)
    assert scorers.by_role["champion"] is not made
    name = promoted(shelf)
    scorers.look()
    assert scorers.by_role["champion"].name == name


def test_a_long_file_of_scores_is_put_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring_module, "_WRITTEN_BYTES_MAX", 10)
    file = tmp_path / "models" / "scores.jsonl"
    for line in (b"first line\n", b"second line\n"):
        append(file, line)
    append(file, b"third\n")
    assert file.read_bytes() == b"third\n"
    assert file.with_suffix(".old.jsonl").read_bytes() == b"second line\n"


JUDGED = {
    "mode": "on",
    "rules": {"model": {"rank_min": 95_000}},
    "typologies": {"odd": {"weights": {"model": 1}, "review": 1}},
}


@pytest.fixture
def risk():
    return JUDGED


@pytest.fixture
def scoring(world, shelf, monkeypatch):
    monkeypatch.setattr(scoring_module, "_REST", 0)
    ctx = SimpleNamespace(
        database=world.database, committed=Signal(), now_s=lambda: world.clock() // NS
    )
    with Threads(1) as thread:
        yield Scoring(ctx, shelf, world.books.heed, thread, lambda: True)


def of_payments(count: int, units: int) -> Kept:
    """A detector to which all plain orders were small."""
    rows = drawn(count)
    for row in rows:
        row[NAMES.index("times_usual")] = units
        row[NAMES.index("day_times_usual")] = units
        row[NAMES.index("place_hours")] = -1
    return train("detector", Seen(rows, [False] * count, list(range(count))), NOW)


async def test_what_a_model_finds_odd_counts_for_the_next_order(world, shelf, scoring):
    spender, payee = await world.spender(10_000), await world.account()
    await world.do(world.pay(spender, payee, 1))
    name = shelf.add(of_payments(300, 1000))
    shelf.give("champion", name, SIGNER, clock)
    shelf.give("challenger", shelf.add(model()), SIGNER, clock)
    await scoring.look()
    assert scoring.scorers.scored["champion"] == 0  # What was there before is remembered.
    odd = (await world.do(world.pay(spender, payee, 500))).payment
    assert odd.state is State.CAPTURED  # A score comes after it.
    await scoring.look()
    assert scoring.scorers.scored["champion"] == scoring.scorers.scored["challenger"] == 1
    next_ = (await world.do(world.pay(spender, payee, 1))).payment
    assert next_.state is State.AWAITING
    assert "odder than all but" in next_.risk
    other = await world.spender(100)
    assert (await world.do(world.pay(other, payee, 1))).payment.state is State.CAPTURED
    world.clock.move(3601)
    later = (await world.do(world.pay(spender, payee, 1))).payment
    assert later.state is State.CAPTURED
    [line] = (shelf.folder / "scores.jsonl").read_text().splitlines()
    assert json.loads(line)["payment"] == odd.id
    assert json.loads(line)["models"]["champion"] == name
    assert set(json.loads(line)["ranks"]) == {"champion", "challenger"}


async def test_a_challenger_alone_is_recorded_and_told_to_nobody(world, shelf, scoring):
    spender, payee = await world.spender(10_000), await world.account()
    await world.do(world.pay(spender, payee, 1))
    shelf.give("challenger", shelf.add(of_payments(300, 1000)), SIGNER, clock)
    await scoring.look()
    await world.do(world.pay(spender, payee, 500))
    await scoring.look()
    assert scoring.scorers.remarkable["challenger"] == 1
    assert (await world.do(world.pay(spender, payee, 1))).payment.state is State.CAPTURED


async def test_what_is_too_much_to_score_is_left_out_and_counted(world, scoring, monkeypatch):
    await world.spender(10)
    await scoring.look()
    monkeypatch.setattr(scoring_module, "REACH", 2)
    for _ in range(4):
        await world.account()
    await scoring.look()
    assert scoring.skipped > 0
    assert scoring.behind == 0


async def test_scoring_that_breaks_is_told_once_and_goes_on_when_it_can(world, scoring):
    await world.account()
    look, faults = scoring.scorers.look, [RuntimeError("a bug"), Malformed("malformed-head", "?")]

    def breaks() -> None:
        if faults:
            raise faults.pop(0)
        look()

    scoring.scorers.look = breaks
    with capture_logs() as logs:
        for _ in range(3):
            await scoring._look_or_say()
    assert [line["event"] for line in logs] == ["risk.scoring_failed"]
    assert not scoring._postponed


async def test_it_follows_by_itself_until_it_is_stopped(world, scoring):
    scoring.start()
    async with asyncio.timeout(10):
        while not scoring._next:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    await scoring.stop()


def test_a_models_name_is_its_digest(shelf: Shelf):
    name = shelf.add(model())
    assert name.removeprefix("detector-") == digest_of(write_kept(model()))[:12]
    (shelf.folder / f"{name}.json").write_bytes(write_kept(model(seed=4)))
    with pytest.raises(Malformed):
        shelf.get(name)
    [listed] = shelf.all()
    assert (listed.kept, "not what its name says" in listed.fault) == (None, True)
