"""A payment's statement as the books keep it: without the words that all of them share.

A statement is JSON of 440 bytes, of which the names of its members, ids written as text and
digests written as text are most. What is kept are the ids and digests as bytes, and the few
words that differ: 157 bytes. Every other statement is kept as it is, as all were before.
"""

import base64
import re
from functools import lru_cache

from farthing import ids
from farthing.codec import from_url, to_url

_SHORT = b"\x01"
"""What a short form begins with, and no statement does: each of those is JSON, or empty."""

_ID = rb"([0-7][0-9a-hjkmnp-tv-z]{25})"
_DIGEST = rb"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])"
_UNITS = rb"([0-9]+)"
_STATEMENT = re.compile(
    rb'\{"amount":"%b","asset":"([A-Z0-9]+)","captured":"%b","device":"dev_%b","hub":"([a-z2-7]{32})"'
    rb',"kind":"payment","money":"test","order":"%b","payee":"acc_%b","payer":"acc_%b"'
    rb',"payment":"pay_%b","reason":"","record":"%b","refunded":"%b","state":"([a-z]+)"\}'
    % (_UNITS, _UNITS, _ID, _DIGEST, _ID, _ID, _ID, _DIGEST, _UNITS)
)
_WRITTEN = (
    b'{"amount":"%b","asset":"%b","captured":"%b","device":"dev_%b","hub":"%b"'
    b',"kind":"payment","money":"test","order":"%b","payee":"acc_%b","payer":"acc_%b"'
    b',"payment":"pay_%b","reason":"","record":"%b","refunded":"%b","state":"%b"}'
)
_DEVICE, _PAYEE, _PAYER = slice(1, 17), slice(17, 33), slice(33, 49)
_HUB, _ORDER, _RECORD, _WORDS_FROM = slice(49, 69), slice(69, 101), slice(101, 133), 133
_WORDS = 5


def kept_form(subject: int, statement: bytes) -> bytes:
    """Give what the books keep of a statement about `subject`; `stated` gives it back."""
    read = _STATEMENT.fullmatch(statement)
    if read is None:
        return statement
    amount, asset, captured, device, hub, order, payee, payer, payment, *others = read.groups()
    record, refunded, state = others
    if ids.decode(payment.decode()) != subject:
        return statement
    words = b",".join((amount, captured, refunded, asset, state))
    about = (_SHORT, _raw(device), _raw(payee), _raw(payer), _raw_hub(hub))
    return b"".join((*about, from_url(order), from_url(record), words))


def stated(subject: bytes, kept: bytes) -> bytes:
    """Give the statement about `subject` of which this is kept.

    Raises: ValueError for what this software does not write.
    """
    if not kept.startswith(_SHORT):
        return kept
    words = kept[_WORDS_FROM:].split(b",")
    if len(words) != _WORDS:
        raise ValueError("a statement is kept in no form known here")
    amount, captured, refunded, asset, state = words
    return _WRITTEN % (
        amount, asset, captured, _text(kept[_DEVICE]), _text_of_hub(kept[_HUB]),
        to_url(kept[_ORDER]), _text(kept[_PAYEE]), _text(kept[_PAYER]),
        ids.encode(int.from_bytes(subject, "big")).encode(), to_url(kept[_RECORD]), refunded, state,
    )  # fmt: skip


@lru_cache(maxsize=16_384)
def _raw(text: bytes) -> bytes:
    return ids.decode(text.decode()).to_bytes(16, "big")


@lru_cache(maxsize=16_384)
def _text(raw: bytes) -> bytes:
    return ids.encode(int.from_bytes(raw, "big")).encode()


@lru_cache(maxsize=16)
def _raw_hub(text: bytes) -> bytes:
    return base64.b32decode(text.upper())


@lru_cache(maxsize=16)
def _text_of_hub(raw: bytes) -> bytes:
    return base64.b32encode(raw).lower()
