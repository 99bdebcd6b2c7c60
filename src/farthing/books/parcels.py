"""Units and answers that are alike cross to the writing process and back in one piece.

A device's batch is a thousand orders under one key, wanted in one way; their answers are in one
commit, under one head. What they share is written once, and the rest as one list of each field, by
C code that knows the types. What has no neighbour of its kind crosses by itself.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from farthing.books.base import Done
from farthing.core.chain import Head, Proof
from farthing.core.decisions import Unit
from farthing.core.orders import Order, SignedOrder
from farthing.core.paying import Authorise
from farthing.core.payments import Authorised, Payment


class Units(list[Unit[Any]]):
    """Units of one message: a list that crosses in parcels."""


class Answers(list[Any]):
    """Answers of one message: a list that crosses in parcels."""


class _Orders(msgspec.Struct, array_like=True):
    """Orders of one device; all that is wanted beside them is as with the first."""

    first: Authorise
    orders: list[Order]
    signatures: list[bytes]
    signed: list[bytes]
    names: list[str]


class _Paid(msgspec.Struct, array_like=True):
    """Payments of one commit, each with its place in it."""

    payments: list[Payment]
    fresh: list[bool]
    statements: list[bytes]
    rows: list[bytes]
    indices: list[int]
    paths: list[list[bytes]]


_encode = msgspec.msgpack.Encoder().encode
_read_orders = msgspec.msgpack.Decoder(_Orders).decode
_read_paid = msgspec.msgpack.Decoder(_Paid).decode
_shared = attrgetter(*Authorise.__struct_fields__[1:-1])
_plain = attrgetter(*(name for name in Authorise.__struct_fields__[1:-1] if name != "device"))


class _Parcel(NamedTuple):
    """Some neighbours in one piece; payments with the head that their proofs end in."""

    raw: bytes
    head: Head | None = None


def _kind_of_unit(unit: Unit[Any]) -> tuple[Any, ...]:
    """Tell what units share that cross together; of another kind, each is its own."""
    if type(unit) is not Authorise:
        return (id(unit),)
    key, *others, fees, offer, place = _plain(unit)
    return (id(unit.device), key, *others, id(fees), offer, place)


def _pack_units(units: Units) -> Iterator[Any]:
    for _, some in groupby(units, _kind_of_unit):
        alike: list[Any] = list(some)
        yield from alike if len(alike) == 1 else [_Parcel(_pack_orders(alike))]


def _pack_orders(alike: Sequence[Authorise]) -> bytes:
    signed = [unit.signed for unit in alike]
    orders = [one.order for one in signed]
    return _encode(
        _Orders(
            alike[0],
            orders,
            [one.signature for one in signed],
            [order.signed_bytes() for order in orders],
            [unit.name for unit in alike],
        )
    )


def _unpack_units(parcels: Sequence[Any]) -> list[Unit[Any]]:
    units: list[Unit[Any]] = []
    for parcel in parcels:
        if isinstance(parcel, _Parcel):
            units += _unpack_orders(parcel.raw)
        else:
            units.append(parcel)
    return units


def _unpack_orders(raw: bytes) -> Iterator[Authorise]:
    read = _read_orders(raw)
    shared = _shared(read.first)
    each = zip(read.orders, read.signatures, read.signed, read.names, strict=True)
    for order, signature, signed, name in each:
        order.keep_signed(signed)
        yield Authorise(SignedOrder(order, signature), *shared, name=name)


def _kind_of_answer(done: Any) -> int:
    """Tell which answers cross together: payments under one head."""
    answer, proof = getattr(done, "answer", None), getattr(done, "proof", None)
    return id(proof.head) if type(answer) is Authorised and proof is not None else -id(done)


def _pack_answers(answers: Answers) -> Iterator[Any]:
    for _, some in groupby(answers, _kind_of_answer):
        alike: list[Any] = list(some)
        yield from alike if len(alike) == 1 else [_Parcel(_pack_paid(alike), alike[0].proof.head)]


def _pack_paid(alike: Sequence[Any]) -> bytes:
    paid: list[Authorised] = [done.answer for done in alike]
    proofs: list[Proof] = [done.proof for done in alike]
    return _encode(
        _Paid(
            [one.payment for one in paid],
            [one.fresh for one in paid],
            [proof.statement for proof in proofs],
            [proof.rows_digest for proof in proofs],
            [proof.index for proof in proofs],
            [proof.path for proof in proofs],
        )
    )


def _unpack_answers(parcels: Sequence[Any]) -> list[Any]:
    answers: list[Any] = []
    for parcel in parcels:
        if isinstance(parcel, _Parcel) and parcel.head is not None:
            answers += _unpack_paid(parcel.raw, parcel.head)
        else:
            answers.append(parcel)
    return answers


def _unpack_paid(raw: bytes, head: Head) -> Iterator[Done[Authorised]]:
    read = _read_paid(raw)
    each = zip(
        read.payments, read.fresh, read.statements, read.rows, read.indices, read.paths, strict=True
    )
    for payment, fresh, statement, rows, index, path in each:
        yield Done(Authorised(payment, fresh), Proof(statement, rows, index, path, head))


def _reduce_units(units: Units) -> tuple[Callable[..., Any], tuple[Any]]:
    return _unpack_units, (list(_pack_units(units)),)


def _reduce_answers(answers: Answers) -> tuple[Callable[..., Any], tuple[Any]]:
    return _unpack_answers, (list(_pack_answers(answers)),)


REDUCED: dict[type, Callable[[Any], Any]] = {Units: _reduce_units, Answers: _reduce_answers}
