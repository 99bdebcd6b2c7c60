"""Texts that stand in many rows are kept once, and come back from rows that have their number."""

import pytest

from farthing.core.events import EVENTS, Event
from farthing.store.names import Names
from farthing.store.queries import events_after

OWNERS = ["own_b", "own_a", 'ünï "x"', "own_a", ""]


def events(owners, first=1):
    return [Event(i, owner, "key.created", "key_1", i, {}) for i, owner in enumerate(owners, first)]


def names(database):
    return database.transact(lambda tx: tx.rows("SELECT number, name FROM names ORDER BY number"))


def told(database, owner=None):
    return [e.owner for e in database.transact(lambda tx: events_after(tx, owner, 0, 500))]


def test_each_name_is_kept_once_in_the_order_of_its_coming(database):
    database.transact(lambda tx: tx.add(EVENTS, events(OWNERS)))
    database.transact(lambda tx: tx.put(EVENTS, events(["own_a", "own_c"], first=10)))
    assert names(database) == [(1, "own_b"), (2, "own_a"), (3, 'ünï "x"'), (4, ""), (5, "own_c")]
    assert told(database) == [*OWNERS, "own_a", "own_c"]
    assert told(database, "own_a") == ["own_a"] * 3
    assert told(database, "own_d") == []


def test_a_number_of_a_transaction_that_was_given_up_is_not_used_again(database):
    def given_up(tx):
        tx.add(EVENTS, events(["own_a"]))
        raise LookupError

    with pytest.raises(LookupError):
        database.transact(given_up)
    database.transact(lambda tx: tx.add(EVENTS, events(["own_b", "own_a"])))
    assert names(database) == [(1, "own_b"), (2, "own_a")]
    assert told(database) == ["own_b", "own_a"]


def test_names_that_another_wrote_have_the_numbers_that_he_gave_them(database):
    database.transact(lambda tx: tx.run("INSERT INTO names VALUES (7, 'own_a')"))
    database.transact(lambda tx: tx.add(EVENTS, events(["own_b", "own_a"])))
    assert names(database) == [(7, "own_a"), (8, "own_b")]


def test_a_row_whose_number_is_no_names_cannot_be_read(database):
    database.transact(lambda tx: tx.add(EVENTS, events(["own_a"])))
    database.transact(lambda tx: tx.run("DELETE FROM names"))
    with pytest.raises(ValueError, match="no name's"):
        told(database)


def test_more_names_than_are_remembered_are_looked_up_again(database):
    few = Names(remembered_max=3)

    def number(*owners):
        rows = [[owner] for owner in owners]
        database.transact(lambda tx: few.number(tx, [0], rows))
        return [row[0] for row in rows]

    assert number("a", "b") == [1, 2]
    assert number("c", "b", "d", "e", "a") == [3, 2, 4, 5, 1]
    assert number("b", "a") == [2, 1]
    assert len(names(database)) == 5
