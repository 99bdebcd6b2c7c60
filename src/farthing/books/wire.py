"""How batches and their answers pass between the hub and its writing process.

Both ends are one version of this code, and a socket pair that nobody else has joins them; so
objects are pickled as they are. Of the few kinds that a busy hub sends thousands of, the fields are
written as MessagePack, by C code that knows their types.
"""

import copyreg
import io
import pickle
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from farthing.books.base import Done
from farthing.books.court import NONE_JUDGED, Judged
from farthing.books.parcels import REDUCED
from farthing.core.chain import Head, Proof
from farthing.core.events import Event
from farthing.core.orders import SignedOrder
from farthing.core.paying import Authorise
from farthing.core.payments import Authorised, Payment
from farthing.keys import Ed25519Signer, P256Signer

LENGTH = struct.Struct("<Q")
RUN = "run"
"""The method whose units go into one commit with those of others that wait."""

_PROTOCOL = 5
_ENCODER = msgspec.msgpack.Encoder()
_AUTHORISE = msgspec.msgpack.Decoder(Authorise)
_PAYMENT = msgspec.msgpack.Decoder(Payment)
_EVENTS = msgspec.msgpack.Decoder(list[Event])


class Asked(NamedTuple):
    """What the writing process is to do: a method of `Writing`, what with, and the time.

    Units: ns.
    """

    method: str
    arguments: Sequence[Any]
    now_ns: int


class Commit(NamedTuple):
    """What is told of one commit, as `OnBatch` hears it."""

    waited: float
    seconds: float
    units: int
    events: Sequence[Event] | None
    judged: Judged = NONE_JUDGED


class Answered(NamedTuple):
    """What became of it: a result or a fault; the heads and commits made; whether all is well.

    Shape: `unnoted` tells of heads that the process itself could not note where it should.
    """

    result: Any
    fault: BaseException | None
    heads: Sequence[Head]
    commits: Sequence[Commit]
    failing: bool
    unnoted: Sequence[OSError] = ()


class Unsendable(RuntimeError):
    """Something is no plain value, and cannot leave its process: a bug of ours."""


def pack(message: Asked | Answered) -> bytes:
    """Write a message with its length.

    Raises: Unsendable.
    """
    buffer = io.BytesIO()
    buffer.write(bytes(LENGTH.size))
    _dump(message, buffer)
    view = buffer.getbuffer()
    LENGTH.pack_into(view, 0, len(view) - LENGTH.size)
    return bytes(view)


def why_unsendable(value: Any) -> Unsendable | None:
    """Tell why a value cannot be part of a message, if it cannot."""
    try:
        _dump(value, io.BytesIO())
    except Unsendable as fault:
        return fault
    return None


def _dump(value: Any, buffer: io.BytesIO) -> None:
    pickler = pickle.Pickler(buffer, _PROTOCOL)
    pickler.dispatch_table = _REDUCED
    try:
        pickler.dump(value)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as why:
        raise Unsendable(f"it cannot be sent to another process: {why}") from why


def unpack(body: bytes) -> Any:
    """Read a message of the other end, without its length."""
    return pickle.loads(body)  # noqa: S301 - only the other end of our own socket pair writes it


def whole(came: bytearray) -> Iterator[Any]:
    """Take the messages that have come whole out of what has come."""
    while len(came) >= LENGTH.size:
        end = LENGTH.size + LENGTH.unpack_from(came)[0]
        if len(came) < end:
            return
        body = bytes(memoryview(came)[LENGTH.size : end])
        del came[:end]
        yield unpack(body)


def _authorise(raw: bytes, signed: bytes) -> Authorise:
    unit = _AUTHORISE.decode(raw)
    unit.signed.order.keep_signed(signed)
    return unit


def _reduce_authorise(unit: Authorise) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    return _authorise, (_ENCODER.encode(unit), unit.signed.order.signed_bytes())


def _payment(raw: bytes) -> Payment:
    return _PAYMENT.decode(raw)


def _reduce_payment(row: Payment) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    return _payment, (_ENCODER.encode(row),)


def _reduce_struct(row: msgspec.Struct) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    return type(row), msgspec.structs.astuple(row)


def _paid(payment: bytes, fresh: bool, *proof: Any) -> Done[Authorised]:
    return Done(Authorised(_PAYMENT.decode(payment), fresh), Proof(*proof))


def _reduce_done(done: Done[Any]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    answer, proof = done.answer, done.proof
    if type(answer) is not Authorised or proof is None:
        return Done, (answer, proof)
    return _paid, (
        _ENCODER.encode(answer.payment), answer.fresh,
        proof.statement, proof.rows_digest, proof.index, proof.path, proof.head,
    )  # fmt: skip


def _reduce_commit(told: Commit) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    events = None if told.events is None else _ENCODER.encode(told.events)
    return _commit, (told.waited, told.seconds, told.units, events, *told.judged)


def _commit(
    waited: float, seconds: float, units: int, events: bytes | None, orders: int, judging: float
) -> Commit:
    happened = None if events is None else _EVENTS.decode(events)
    return Commit(waited, seconds, units, happened, Judged(orders, judging))


def _reduce_signer(signer: Ed25519Signer | P256Signer) -> tuple[Callable[..., Any], tuple[bytes]]:
    return type(signer), (signer.seed,)


_REDUCED: dict[type, Callable[[Any], Any]] = {
    **copyreg.dispatch_table,
    **REDUCED,
    Authorise: _reduce_authorise,
    Payment: _reduce_payment,
    Done: _reduce_done,
    Head: _reduce_struct,
    Commit: _reduce_commit,
    SignedOrder: _reduce_struct,
    Ed25519Signer: _reduce_signer,
    P256Signer: _reduce_signer,
}
