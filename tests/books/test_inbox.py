"""What the writing process is asked: everything that has come, in order, none of it cut."""

from socket import socketpair

import pytest

from farthing.books.inbox import Inbox, joined
from farthing.books.wire import RUN, Asked, pack


@pytest.fixture
def pair():
    ours, theirs = socketpair()
    with ours, theirs:
        yield ours, theirs


def run(*units):
    return Asked(RUN, (list(units), 0.0), 1)


def test_all_that_came_is_given_at_once_and_what_is_cut_waits_for_its_end(pair):
    ours, theirs = pair
    inbox = Inbox(theirs)
    messages = [pack(run(n)) for n in range(3)]
    ours.sendall(messages[0] + messages[1] + messages[2][:-1])
    assert inbox.gather() == [run(0), run(1)]
    ours.sendall(messages[2][-1:])
    assert inbox.gather() == [run(2)]


def test_what_came_before_the_end_is_given_and_then_nothing(pair):
    ours, theirs = pair
    inbox = Inbox(theirs)
    ours.sendall(pack(run(1)) + b"cut")
    ours.close()
    assert inbox.gather() == [run(1)]
    assert inbox.gather() == []


def test_only_neighbours_with_units_are_joined_and_never_more_than_fit():
    tidy = Asked("tidy", (print,), 1)
    came = [run(1, 2), run(3), run(4, 5), tidy, run(6), run(7, 8, 9, 10, 11)]
    assert list(joined(came, 4)) == [
        [run(1, 2), run(3)], [run(4, 5)], [tidy], [run(6)], [run(7, 8, 9, 10, 11)],
    ]  # fmt: skip
    assert list(joined([tidy, tidy], 4)) == [[tidy], [tidy]]
    assert list(joined([], 4)) == []
