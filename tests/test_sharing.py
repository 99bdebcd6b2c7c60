"""Shares are fair: nobody holds more than is left free, and everybody has a turn."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from farthing.sharing import Line, Room

NAMES = st.sampled_from("abcde")


def test_one_alone_gets_half_and_a_newcomer_always_finds_some():
    room = Room(100)
    while not room.take("greedy"):
        pass
    assert (room.held, room.take("greedy")) == (50, "share")
    assert room.take("new", 50) == ""
    assert room.take("third") == "full"


def test_whoever_gives_back_may_take_again():
    room = Room(10)
    assert room.take("a", 5) == ""
    room.give("a", 5)
    assert (room.held, room.share("a"), room.take("a", 5)) == (0, 0, "")


def test_the_last_place_is_taken_by_who_has_none():
    room = Room(1)
    assert (room.take("a"), room.take("b")) == ("", "full")


def test_a_share_has_a_bound_of_its_own_and_the_nameless_have_none():
    room = Room(100, each_max=3)
    assert [room.take("a") for _ in range(4)] == ["", "", "", "share"]
    assert room.take("", 97) == ""
    assert room.take("") == "full"


@given(st.lists(st.tuples(NAMES, st.integers(1, 40), st.booleans())), st.integers(1, 200))
def test_a_room_never_holds_more_than_it_may_and_forgets_who_left(moves, most):
    room, held = Room(most), Counter()
    for who, count, comes in moves:
        if not comes:
            if gone := min(count, held[who]):
                room.give(who, gone)
                held[who] -= gone
        elif not room.take(who, count):
            held[who] += count
        assert room.held == held.total() <= most
        assert {w: room.share(w) for w in held} == dict(held)
    assert set(room._shares) == {who for who, count in held.items() if count}


@given(
    st.lists(st.tuples(NAMES, st.integers(1, 9)), max_size=40),
    st.lists(st.integers(1, 30), min_size=1, max_size=10),
)
def test_a_line_keeps_everybodys_order_loses_nothing_and_serves_in_turn(puts, takes):
    line, waiting = Line[tuple[str, int]](200), Counter()
    put: list[tuple[str, int]] = []
    for n, (who, count) in enumerate(puts):
        items = [(who, 100 * n + i) for i in range(count)]
        if not line.put(who, items):
            put += items
            waiting[who] += count
    taken: list[tuple[str, int]] = []
    for most in takes:
        before, got = dict(waiting), line.take(most)
        taken += got
        shares = Counter(who for who, _ in got)
        waiting.subtract(shares)
        assert len(got) == min(most, sum(before.values()))
        if waiting.total():
            # Who still waits got as many turns as anybody, give or take one.
            assert max(shares.values()) - 1 <= min(shares[w] for w in before if waiting[w])
        assert len(line) == waiting.total()
    taken += line.take(10_000)
    assert sorted(taken) == sorted(put)
    for name in "abcde":
        assert [t for t in taken if t[0] == name] == [p for p in put if p[0] == name]
    assert not line._waiting


def test_a_line_refuses_who_has_enough_and_not_who_comes_new():
    line = Line[int](10)
    assert line.put("greedy", [1, 2, 3, 4, 5]) == ""
    assert line.put("greedy", [6]) == "share"
    assert line.put("new", [7, 8]) == ""
    assert line.put("", [1, 2, 3]) == ""
    assert line.put("other", [9]) == "full"
    assert len(line) == 10
