"""What a payment language does: bytes to an order, a price to a challenge. No I/O here.

`Terms` is one seller's price for one request. Each language writes it into a 402 (`challenge`),
reads a credential back into a signed order (`read`), and writes a receipt (`receipt`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from farthing.core.orders import SignedOrder
from farthing.errors import FarthingError

Headers = Sequence[tuple[str, str]]
"""Header fields in order; names in lower case when they come in from a request."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """A price for one request: what an order has to agree with, to the unit.

    Units:  `amount` counts smallest units; `lifetime_seconds` bounds a challenge's validity.
    Shape:  `resource` is `METHOD /normalised/path?query`; `body_digest` is an RFC 9530
            `Content-Digest` value (`sha-256=:...:`) or empty for a request without a body.
    """

    realm: str
    hub: str
    payee: str
    asset: str
    amount: int
    resource: str
    url: str
    description: str = ""
    body_digest: str = ""
    lifetime_seconds: int = 300


class BadCredential(FarthingError):
    """A credential was sent that does not hold; `status` differs by language and by fault.

    Shape: `stale` is the order it carries when everything is sound but the price list has
           changed since: nothing new may be taken for it, but it may already be paid. It is
           only ever an order that this seller itself can have asked for.
    """

    title = "The payment credential does not hold"

    def __init__(
        self,
        code: str,
        detail: str = "",
        status: int = 402,
        stale: SignedOrder | None = None,
        **more: Any,
    ) -> None:
        super().__init__(code, detail, **more)
        self.answer_status = status
        self.stale = stale

    def problem(self) -> dict[str, Any]:
        """Give the error as an RFC 9457 problem details object."""
        return super().problem() | {"status": self.answer_status}


class Language(Protocol):
    """A payment language as a seller speaks it."""

    @property
    def name(self) -> str: ...

    def challenge(self, terms: Terms, now_ns: int, problem: BadCredential | None) -> Headers:
        """Write the header fields of a 402 that asks for `terms`."""
        ...

    def carries(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request carries a credential in this language."""
        ...

    def read(self, headers: Mapping[str, str], terms: Terms, now_ns: int) -> SignedOrder:
        """Read a credential and check it against the terms; the signature is the hub's to check.

        Raises: BadCredential. An expired challenge is NOT refused here when it is otherwise
                sound (`order.expires` says when it ended): a recorded payment may be asked for.
        """
        ...

    def identifier(self, headers: Mapping[str, str]) -> str:
        """Give the idempotency id inside a credential, or nothing.

        Raises: BadCredential.
        """
        ...

    def receipt(self, receipt: Mapping[str, Any]) -> Headers:
        """Write the header fields that carry a receipt on a paid answer."""
        ...

    def failure(self, code: str, terms: Terms) -> Headers:
        """Write the header fields that tell of a refused payment, beside the challenge."""
        ...
