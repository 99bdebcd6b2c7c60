"""Which row of a leaf was changed: the leaf's digest covers several, so the change is searched.

A changed row is found when its old bytes can be guessed: a value that the rows beside it have,
one byte that is different, or an amount that differs in its lowest bytes. It is a help for people
and never decides whether the books are right: that the digest differs is known already.
"""

import hashlib
from collections.abc import Iterator, Sequence

from farthing.core.ledger_rows import TRANSFER_KIND

_ROWS_MAX = 32
# Places in a transfer's canonical bytes: the accounts, the amount, and so on to the timeout.
_FIELDS = (
    (17, 33),
    (33, 49),
    (49, 57),
    (57, 61),
    (61, 63),
    (63, 65),
    (65, 81),
    (81, 97),
    (97, 101),
)
_ID_BYTES = 16
_AMOUNT_LOW = (55, 57)
_DERIVED, _USER_DATA = (1, 16), 80
"""The bytes of an id that user data may have too, and how far behind them those stand."""


def changed_row(rows: Sequence[bytes], target: bytes) -> int | None:
    """Find the one row whose change explains the digest; None when no guess fits.

    Shape: `rows` are canonical bytes in order; `target` is the SHA-256 they once had together.
    """
    if not 0 < len(rows) <= _ROWS_MAX:
        return None
    for guesses in (_like_neighbours, _one_byte, _one_byte_of_id, _low_amounts):
        for index in range(len(rows)):
            before = hashlib.sha256(b"".join(rows[:index]))
            after = b"".join(rows[index + 1 :])
            for guess in guesses(rows, index):
                digest = before.copy()
                digest.update(guess + after)
                if digest.digest() == target:
                    return index
    return None


def swapped_row(rows: Sequence[bytes], target: bytes) -> int | None:
    """Find the first row that stands at another's place, by the times at their ends."""
    ordered = sorted(rows, key=lambda row: row[-8:])
    if hashlib.sha256(b"".join(ordered)).digest() != target:
        return None
    return next((i for i, row in enumerate(rows) if row != ordered[i]), None)


def _like_neighbours(rows: Sequence[bytes], index: int) -> Iterator[bytes]:
    row = rows[index]
    if row[0] != TRANSFER_KIND:
        return
    for start, end in _FIELDS:
        values = {other[start:end] for other in rows if other[0] == TRANSFER_KIND}
        derived = row[1:16] + bytes(1) if end - start == _ID_BYTES else bytes(end - start)
        for value in values | {bytes(end - start), derived}:
            yield row[:start] + value + row[end:]


def _one_byte(rows: Sequence[bytes], index: int) -> Iterator[bytes]:
    row = rows[index]
    for place in range(1, len(row)):
        head, tail = row[:place], row[place + 1 :]
        for value in range(256):
            yield head + bytes((value,)) + tail


def _one_byte_of_id(rows: Sequence[bytes], index: int) -> Iterator[bytes]:
    """Guess an id whose change is one of the user data too, which then follows from it."""
    row = rows[index]
    if row[0] != TRANSFER_KIND:
        return
    for place in range(*_DERIVED):
        other = place + _USER_DATA
        for value in range(256):
            byte = bytes((value,))
            yield row[:place] + byte + row[place + 1 : other] + byte + row[other + 1 :]


def _low_amounts(rows: Sequence[bytes], index: int) -> Iterator[bytes]:
    row, (start, end) = rows[index], _AMOUNT_LOW
    if row[0] != TRANSFER_KIND:
        return
    for value in range(256 ** (end - start)):
        yield row[:start] + value.to_bytes(end - start, "big") + row[end:]
