"""Ticks over HTTP: late, doubled, lost and reordered ones do no harm; nothing wrong counts."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from farthing.codec import to_base64url
from farthing.core.promises import REACH
from farthing.core.ticks import TICK_BYTES
from farthing.settings import BooksSettings

from .town import Town, changed, config_in, open_town

MSGPACK = {"content-type": "application/msgpack"}


def in_town(test: Callable[[Town], Awaitable[None]]) -> Callable[[Path, Any], Awaitable[None]]:
    """Run a test in a town on each engine."""

    async def run(tmp_path: Path, books_settings: BooksSettings) -> None:
        config = changed(config_in(tmp_path), books=books_settings)
        async with open_town(tmp_path, config=config) as town:
            await test(town)

    return run


class Ladder:
    """A session, and the ladder that its device has signed."""

    def __init__(self, town: Town, session: Any, most: int, each: int, units: int, seed: int):
        self.town, self.session, self.each, self.units = town, session, each, units
        self.climber = town.climber(session, most, seed)
        self.voucher = town.ladder(session, self.climber, each, units, seed)
        self.path = f"/v1/sessions/{session['id']}"

    def tick(self, count: int) -> bytes:
        return self.town.tick(self.session, self.climber, count)

    async def send(self, count: int, **more: Any) -> Any:
        body = {"tick": to_base64url(self.tick(count))}
        return await self.town.ask("POST", f"{self.path}/ticks", body | more)

    async def begin(self, **more: Any) -> Any:
        return await self.town.ask(
            "POST", f"{self.path}/vouchers", {"voucher": self.voucher} | more
        )

    async def bare(self, raw: bytes) -> Any:
        path = f"/v1/accounts/{self.session['payee']}/ticks"
        return await self.town.ask("POST", path, raw)


async def ladder(
    town: Town, deposit: int = 1000, most: int = 100, each: int = 3, units: int = 0, seed: int = 1
) -> Ladder:
    """Open a session, and have its ladder taken."""
    found = Ladder(town, await town.session(deposit), most, each, units, seed)
    assert (await found.begin()).status_code == 200
    return found


async def promised(own: Ladder) -> tuple[int, int]:
    shown = await own.town.made("GET", own.path, who="seller.read")
    return int(shown["promised"]), int(shown["ticks"])


def code(answer: Any) -> str:
    return answer.json()["code"]


@in_town
async def test_each_tick_is_worth_what_was_signed(town: Town):
    own = await ladder(town, units=10)
    for count in (1, 2, 7):
        told = (await own.send(count)).json()
        assert (told["promised"], told["ticks"]) == (str(10 + 3 * count), str(count))
    again = await own.send(7)
    assert (again.status_code, again.json()["promised"]) == (200, "31")
    lower = await own.send(5)
    assert (lower.status_code, code(lower)) == (409, "voucher-superseded")
    assert (lower.json()["promised"], lower.json()["ticks"]) == ("31", "7")
    closed = await town.made("POST", f"{own.path}/close", who="seller.seller")
    assert closed["captured"] == "31"


@in_town
async def test_the_deposit_bounds_what_ticks_promise(town: Town):
    own = await ladder(town, deposit=31)
    refused = await own.send(11)
    assert (refused.status_code, code(refused)) == (422, "voucher-beyond-deposit")
    assert (await own.send(10)).json()["promised"] == "30"
    told = (await own.bare(b"".join(own.tick(count) for count in range(1, 20)))).json()
    [item] = told["sessions"]
    assert (item["right"], item["wrong"], item["far"]) == (19, [], [])
    assert (item["drawn"]["ticks"], item["problem"]["code"]) == ("10", "voucher-beyond-deposit")


@in_town
async def test_what_is_no_tick_is_refused_and_changes_nothing(town: Town):
    own, other = await ladder(town), await ladder(town, seed=2)
    raw = own.tick(5)
    table = {
        "": (400, "malformed-tick"),
        to_base64url(raw[:-1]): (400, "malformed-tick"),
        to_base64url(raw + b"\0"): (400, "malformed-tick"),
        to_base64url(raw[:-1] + bytes([raw[-1] ^ 1])): (401, "bad-tick"),
        to_base64url(raw[:11] + b"\x06" + raw[12:]): (401, "bad-tick"),
        to_base64url(own.tick(0)): (401, "bad-tick"),
        to_base64url(raw[:8] + b"\xff\xff\xff\xff" + raw[12:]): (401, "bad-tick"),
        to_base64url(other.tick(5)): (401, "bad-tick"),
        "not base64!": (400, "malformed-base64"),
    }
    for tick, expected in table.items():
        answer = await town.ask("POST", f"{own.path}/ticks", {"tick": tick})
        assert answer.status_code == expected[0], (tick, answer.text)
        assert code(answer) == expected[1], tick
    assert await promised(own) == (0, 0)


@in_town
async def test_a_session_without_a_ladder_and_one_that_is_not_there_answer_alike(town: Town):
    session = await town.session()
    body = {"tick": to_base64url(town.tick(session, town.climber(session), 1))}
    await town.draw(session, 5)
    there = await town.ask("POST", f"/v1/sessions/{session['id']}/ticks", body)
    nowhere = await town.ask("POST", f"/v1/sessions/ses_{'0' * 26}/ticks", body)
    assert (there.status_code, there.json()) == (nowhere.status_code, nowhere.json())
    assert code(there) == "bad-tick"


@in_town
async def test_a_tick_out_of_reach_comes_with_its_voucher_or_after_one_in_between(town: Town):
    own = await ladder(town, deposit=10_000, most=REACH * 2, each=1)
    far = await own.send(REACH + 1)
    assert (far.status_code, code(far)) == (422, "tick-too-far")
    assert (await own.send(REACH)).status_code == 200
    assert (await own.send(REACH * 2)).json()["promised"] == str(REACH * 2)
    other = await ladder(town, deposit=10_000, most=REACH * 2, each=1)
    both = await other.begin(tick=to_base64url(other.tick(REACH + 1)))
    assert both.json()["promised"] == str(REACH + 1)


@in_town
async def test_one_request_makes_a_bounded_number_of_steps(town: Town):
    own = await ladder(town, deposit=5000, most=65_536, each=1)
    wrong = own.tick(REACH)[:-1] + b"\0"
    told = (await own.bare(wrong * 40)).json()["sessions"][0]
    assert (len(told["wrong"]), len(told["far"]), told["right"]) == (16, 24, 0)
    items = {"ticks": [{"session": own.session["id"], "tick": to_base64url(wrong)}] * 40}
    answers = (await town.ask("POST", "/v1/ticks", items)).json()["ticks"]
    codes = [each["problem"]["code"] for each in answers]
    assert codes == ["bad-tick"] * 16 + ["tick-too-far"] * 24


@in_town
async def test_a_newer_ladder_goes_on_and_an_older_one_still_proves_what_it_promised(town: Town):
    own = await ladder(town)
    assert (await own.send(10)).status_code == 200
    newer = Ladder(town, own.session, 100, 5, 30, seed=2)
    assert (await newer.begin()).json()["promised"] == "30"
    stale = await own.send(11)
    assert (stale.status_code, code(stale)) == (401, "bad-tick")
    assert (await newer.send(1)).json()["promised"] == "35"
    kept = await own.begin(tick=to_base64url(own.tick(20)))  # Its payee had heard of more.
    assert kept.json()["promised"] == "60"
    assert (await own.send(21)).json()["promised"] == "63"
    lower = await newer.begin()
    assert code(lower) == "voucher-superseded"
    back = await newer.begin(tick=to_base64url(newer.tick(10)))
    assert back.json()["promised"] == "80"
    plain = await town.draw(own.session, 90, sequence=3)
    assert plain.json()["ticks"] == "0"
    assert code(await newer.send(13)) == "bad-tick"


@in_town
async def test_many_ticks_in_json_and_messagepack_are_answered_one_by_one(town: Town):
    own, other = await ladder(town), await ladder(town, seed=2)
    sent = [(own, 3), (other, 4), (own, 2), (own, 3)]
    body: Any = {
        "ticks": [{"session": o.session["id"], "tick": to_base64url(o.tick(n))} for o, n in sent]
    }
    told = (await town.ask("POST", "/v1/ticks", body)).json()["ticks"]
    assert [each["drawn"] and each["drawn"]["promised"] for each in told] == ["9", "12", None, "9"]
    assert told[2]["problem"]["code"] == "voucher-superseded"
    packed = msgspec.msgpack.encode({"ticks": [[o.session["id"], o.tick(n + 1)] for o, n in sent]})
    answer = await town.ask("POST", "/v1/ticks", content=packed, headers=MSGPACK)
    assert answer.headers["content-type"] == "application/msgpack"
    told = msgspec.msgpack.decode(answer.content)["ticks"]
    assert [each["drawn"] and each["drawn"]["ticks"] for each in told] == ["4", "5", None, "4"]


@in_town
async def test_bare_ticks_of_many_sessions_are_answered_by_session(town: Town):
    own, other = await ladder(town), await ladder(town, seed=2)
    wrong = own.tick(9)[:-1] + b"\0"
    stray = bytes(TICK_BYTES)
    raw = own.tick(4) + other.tick(2) + wrong + own.tick(1) + stray + own.tick(4)
    told = (await own.bare(raw)).json()["sessions"]
    mine, theirs, nobodys = told
    assert (mine["alias"], mine["ticks"], mine["right"]) == (own.session["alias"], 4, 3)
    assert (mine["wrong"], mine["drawn"]["promised"]) == ([2], "12")
    assert (theirs["right"], theirs["drawn"]["promised"]) == (1, "6")
    assert (nobodys["wrong"], nobodys["problem"]["code"]) == ([4], "bad-tick")
    elsewhere = await town.ask("POST", f"/v1/accounts/{town.accounts['purse']}/ticks", raw)
    codes = {each["problem"]["code"] for each in elsewhere.json()["sessions"]}
    assert codes == {"bad-tick"}
    for size in (0, 27, 29):
        assert (await own.bare(bytes(size))).status_code == 400


@in_town
async def test_late_ticks_are_the_payees_to_hand_in(town: Town):
    own = await ladder(town)
    await town.made("POST", f"{own.path}/end", who="meter")
    assert code(await own.send(5)) == "session-over"
    assert (await own.send(5, late=True)).status_code == 401
    body = {"tick": to_base64url(own.tick(5)), "late": True}
    told = await town.ask("POST", f"{own.path}/ticks", body, who="seller.seller")
    assert told.json()["promised"] == "15"
    path = f"/v1/accounts/{own.session['payee']}/ticks"
    told = await town.ask("POST", f"{path}?late=true", own.tick(6), who="seller.seller")
    assert told.json()["sessions"][0]["drawn"]["promised"] == "18"
    assert (await town.ask("POST", f"{path}?late=yes", own.tick(6))).status_code == 400
    await town.made("POST", f"{own.path}/close", who="seller.seller")
    assert code(await own.send(7)) == "session-closed"


@in_town
async def test_a_hub_that_was_started_again_goes_on_where_the_books_are(town: Town):
    own = await ladder(town)
    assert (await own.send(10)).status_code == 200
    proofs = town.hub.desk.sessions.proofs
    proofs._known.clear()
    proofs._kept.clear()
    assert (await own.send(11)).json()["promised"] == "33"
    proofs._known.clear()
    told = (await own.bare(own.tick(12) + own.tick(3))).json()["sessions"][0]
    assert (told["right"], told["drawn"]["ticks"]) == (2, "12")


@in_town
async def test_what_is_not_base64url_has_the_whole_body_refused(town: Town):
    own = await ladder(town)
    good, path = {"session": own.session["id"]}, own.path.rpartition("/sessions")[0]
    for name, value in (("tick", own.tick(1)), ("voucher", b"x")):
        bodies = [good | {name: to_base64url(value)}, good | {name: "!"}]
        answer = await town.ask("POST", f"{path}/{name}s", {f"{name}s": bodies})
        assert (answer.status_code, code(answer)) == (400, "malformed-base64")
    assert await promised(own) == (0, 0)
