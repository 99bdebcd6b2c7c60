"""What does not fit is told in plain words: which member, and what would have fitted."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import msgspec
import pytest

from farthing.misfits import misfit
from farthing.services.copies import Manifest
from farthing.settings import SECTIONS, Config
from farthing.web.api import bodies
from farthing.web.api.bodies import (
    AccountBody,
    InvitationBody,
    KeyBody,
    MandateBody,
    OnceBody,
    OwnerBody,
    VouchersBody,
)
from farthing.web.price_rows import ROWS, OfferRow

BUDGET = {"name": "d", "per": "day", "limit": "1"}
MANDATE = {"asset": "USD"}
ACCOUNT = {"asset": "USD"}
INVITATION = {"account": "acc_1", "mandate": "man_1"}
ONCE = {"method": "GET", "route": "/", "key": "k", "content": "x" * 43}
OFFER = {"path": "/x", "price": "1 USD"}


def faults(kind: Any, value: Any) -> Iterator[str]:
    """Tell what is wrong with a value, if it does not fit."""
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as fault:
        yield str(misfit(kind, fault))


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (KeyBody, {"scopes": ["root"]}, "`scopes[0]` must be one of metrics, operator, owner, "),
        (KeyBody, {"scops": []}, "`scops` is unknown; did you mean `scopes`?"),
        (KeyBody, {"zz": []}, "`zz` is unknown; there are: scopes, label, owner"),
        (MandateBody, MANDATE | {"on_timeout": "pay"}, "`on_timeout` must be one of allow, refuse"),
        (MandateBody, MANDATE | {"budgets": [BUDGET | {"limt": 1}]}, "`budgets[0].limt` is unkno"),
        (MandateBody, MANDATE | {"budgets": [BUDGET | {"limit": "x"}]}, "`budgets[0].limit` must"),
        (MandateBody, MANDATE | {"budgets": [{"name": "d"}]}, "`budgets[0].per` is missing"),
        (MandateBody, MANDATE | {"largest": "1.5"}, '`largest` must be text such as "1500"'),
        (MandateBody, MANDATE | {"payees": ["a"] * 65}, "`payees` must have at most 64 entries"),
        (MandateBody, MANDATE | {"payees": "a"}, "`payees` must be a list, not text"),
        (OwnerBody, {"name": " "}, '`name` must be text such as "Parkside"'),
        (OwnerBody, {"name": 5}, '`name` must be text such as "Parkside", not a whole number'),
        (OwnerBody, {"name": None}, '`name` must be text such as "Parkside", not null'),
        (OwnerBody, {"name": "x" * 201}, "`name` must have at most 200 characters"),
        (OwnerBody, {}, "`name` is missing"),
        (OwnerBody, [], "the whole must be an object, not a list"),
        (AccountBody, ACCOUNT | {"owner": 5}, "`owner` must be text or null, not a whole number"),
        (AccountBody, ACCOUNT | {"owner": "a"}, "`owner` must have 5 to 40 characters"),
        (InvitationBody, INVITATION | {"seconds": 5}, "`seconds` must be 30 to 86400"),
        (InvitationBody, INVITATION | {"seconds": 10**30}, "`seconds` must be 30 to 86400"),
        (
            InvitationBody,
            INVITATION | {"seconds": 60.5},
            "must be a whole number, not a number with",
        ),
        (VouchersBody, {"vouchers": []}, "`vouchers` must have 1 to 1000 entries"),
        (OnceBody, ONCE | {"content": "x"}, "`content` must have exactly 43 characters"),
        (Config, {"books": {"engine": "mysql"}}, "`books.engine` must be one of postgresql, sqli"),
        (Config, {"books": {"a`b\n": ""}}, "`books.a`b\n` is unknown"),
        (Config, {"assets": {"USD": "x"}}, "a value in `assets` must be a whole number, not text"),
        (Config, {"log": {"events": "no"}}, "`log.events` must be true or false, not text"),
        (OfferRow, OFFER | {"path": "x"}, '`path` must be text such as "/weather/{town}"'),
        (OfferRow, OFFER | {"valid_from": "x"}, "`valid_from` must be a time such as 2026-"),
        (OfferRow, OFFER | {"valid_from": date(2026, 1, 1)}, "or null, not a date"),
        (OfferRow, OFFER | {"valid_from": datetime(2026, 1, 1)}, "Z, with its time zone"),  # noqa: DTZ001
    ],
)
def test_a_misfit_is_told_so_that_it_can_be_mended(kind: Any, value: Any, told: str):
    [said] = faults(kind, value)
    assert told in said


SHAPES = [
    *bodies.Body.__subclasses__(),
    *(*SECTIONS.values(), Config, *ROWS.values(), Manifest),
]
ODD = (
    *(None, True, -1, 5, 1.5, 10**30, "", " ", "x" * 5000, [], {}, [5], ["x" * 300], {"a": 5}),
    *(["/"] * 2000, date(2026, 1, 1), datetime(2026, 1, 1), b"", {"b": {}}),  # noqa: DTZ001
)
WORDED_ELSEWHERE = re.compile("Expected|Object|Invalid|regex|does not fit|…|None")


@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.__name__)
def test_nothing_is_told_in_the_words_of_a_library(kind: type[msgspec.Struct]):
    told = list(faults(kind, []))
    for field in msgspec.structs.fields(kind):
        for value in ODD:
            told += faults(kind, {field.encode_name: value})
    assert told
    assert [said for said in told if WORDED_ELSEWHERE.search(said)] == []
