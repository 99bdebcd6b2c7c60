"""Challenges for passkeys: single use, bound to one act, kept by nobody until they are answered.

The browser gets random bytes with our mark on them, and the SHA-256 of these bytes and the act as
the challenge that its passkey signs. Both come back; nothing is written before a signature holds,
so that strangers who ask for challenges fill no table.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from farthing.clock import NS
from farthing.codec import canonical_json, from_base64url, to_base64url
from farthing.errors import Malformed, Unauthenticated

SECONDS = 300
_RANDOM, _TIME, _MARK = 32, 8, 32


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a passkey is to sign, and the ticket by which we know it again."""

    challenge: bytes
    ticket: str


class Challenges:
    """Makes challenges and reads their tickets.

    Shape: `secrets` are the hub's, newest first; tickets marked by an older one still hold.
    """

    def __init__(
        self, secrets: Sequence[bytes], random_bits: Callable[[int], int], now_ns: Callable[[], int]
    ) -> None:
        self._keys = [
            hmac.digest(secret, b"farthing-passkey-ticket-1", "sha256") for secret in secrets
        ]
        self._random_bits, self._now_ns = random_bits, now_ns

    def make(self, act: Mapping[str, str]) -> Challenge:
        """Make a challenge for an act. Shape: `act` is all that is confirmed, as texts."""
        random = self._random_bits(8 * _RANDOM).to_bytes(_RANDOM, "big")
        until = (self._now_ns() + SECONDS * NS).to_bytes(_TIME, "big")
        marked = random + until + self._mark(self._keys[0], random + until, act)
        return Challenge(challenge_of(random, act), to_base64url(marked))

    def read(self, ticket: str, act: Mapping[str, str]) -> tuple[bytes, int]:
        """Give the challenge of a ticket for this act, and until when it counts.

        Units:  the time is in nanoseconds.
        Raises: Unauthenticated `bad-challenge` for another act's, another hub's or an old one.
        """
        try:
            raw = from_base64url(ticket)
        except Malformed:
            raw = b""
        head, mark = raw[: _RANDOM + _TIME], raw[_RANDOM + _TIME :]
        until_ns = int.from_bytes(head[_RANDOM:], "big")
        known = len(mark) == _MARK and any(
            hmac.compare_digest(mark, self._mark(key, head, act)) for key in self._keys
        )
        if not known or self._now_ns() >= until_ns:
            raise Unauthenticated("bad-challenge", "this was asked for too long ago; begin anew")
        return challenge_of(head[:_RANDOM], act), until_ns

    def _mark(self, key: bytes, head: bytes, act: Mapping[str, str]) -> bytes:
        return hmac.digest(key, head + canonical_json(dict(act)), "sha256")


def challenge_of(random: bytes, act: Mapping[str, str]) -> bytes:
    """Give the SHA-256 of random bytes and the canonical act: what the passkey signs."""
    return hashlib.sha256(random + canonical_json(dict(act))).digest()
