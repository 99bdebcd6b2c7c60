"""Who answered an ask, by which means and when: as its payment's record has it for good.

The record is stated by its digest, so the history covers the answer. What is kept of a person is
an id; the payer's owner and the operator see it, and nobody else.
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from farthing.core.facts import body_of


class Means(StrEnum):
    """How an answer was given."""

    PASSKEY = "passkey"
    """By a person, who confirmed exactly these terms with a passkey."""
    SESSION = "session"
    """By a person, on a page where they were signed in."""
    NOTICE = "notice"
    """By a person, from the notice, in a browser where they were signed in."""
    KEY = "key"
    """With an API key."""
    OPERATOR = "operator"
    """By whoever has the hub's own socket."""
    DEADLINE = "deadline"
    """By nobody: the mandate says what silence means."""


PERSONAL = frozenset({Means.PASSKEY, Means.SESSION, Means.NOTICE})
"""The means that only a person has, each of whom is somebody else."""


class By(NamedTuple):
    """Who gives an answer: a person's id or a key's, empty where it is the hub's own."""

    means: Means
    who: str = ""


OPERATOR = By(Means.OPERATOR)
DEADLINE = By(Means.DEADLINE)


def by_key(name: str) -> By:
    """Give how somebody answers over the API: with a key, or by the hub's own socket."""
    return By(Means.KEY, name) if name.startswith("key_") else OPERATOR


class Said(msgspec.Struct, frozen=True):
    """One answer. Units: `at_ns` is the book's time."""

    answer: Literal["approve", "deny"]
    means: Means
    who: str
    at_ns: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Said, ...]).decode


def write_said(said: Sequence[Said]) -> str:
    """Write answers as a payment's record keeps them, in the order in which they were given."""
    return _encode(said).decode()


@lru_cache(maxsize=4096)
def read_said(text: str) -> tuple[Said, ...]:
    """Read the answers that a payment's record keeps; those of older versions have none."""
    return _decode(text) if text else ()


def said_told(text: str) -> dict[str, str]:
    """Tell the payer's owner who answered, and how: members of a payment's event."""
    said = read_said(text)
    return body_of(
        answered_by=", ".join(one.who or one.means for one in said),
        answered_with=", ".join(one.means for one in said),
    )
