"""Idempotency keys of buyers: one payment and one answer per key and content.

The hub decides, in the commit that would move money, after the credential's proof has bound the
device: the same key with the same content is answered with its first payment, also for a new
credential; with other content it is refused. The hub keeps keys for 24 hours; the answers are
kept here, in memory, so after a restart a repetition gets `already-paid` with the receipt.

Source: draft-ietf-httpapi-idempotency-key-header; draft-httpauth-payment-00, side effects;
x402 v2, extension payment-identifier.
"""

from collections.abc import Mapping

from farthing.codec import to_base64url
from farthing.core.idempotency import KEPT_SECONDS, content_hash
from farthing.core.orders import SignedOrder
from farthing.core.prices import Offer, priced_method
from farthing.errors import Malformed
from farthing.protocols.base import Language, Terms
from farthing.services.hub import OnceKey
from farthing.web.incoming import Incoming

FIELD = b"idempotency-key"
ANSWER_SECONDS = KEPT_SECONDS

_KEY_MAX = 128
_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_DESCRIBING = (b"content-length", b"content-type", b"content-digest")


def once_key(
    request: Incoming,
    offer: Offer,
    terms: Terms,
    language: Language,
    fields: Mapping[str, str],
    signed: SignedOrder,
) -> OnceKey | None:
    """Read the key a paying request carries; the header field counts before the credential's own.

    Shape:  a credential's identifier that equals its nonce says nothing more than the nonce.
    Raises: Malformed `malformed-idempotency-key`; BadCredential.
    """
    key = header_key(request) if request.method in _METHODS else ""
    if not key:
        key = language.identifier(fields)
        if key == signed.order.nonce:
            return None
    if not key:
        return None
    return OnceKey(
        method=priced_method(request.method),
        route=f"{terms.realm} {offer.path or offer.name}",
        key=key,
        content=_content(request, terms, bound=offer.bind_body),
    )


def header_key(request: Incoming) -> str:
    """Read a request's `Idempotency-Key`, or nothing.

    Raises: Malformed `malformed-idempotency-key`.
    """
    sent = request.values(FIELD)
    if not sent:
        return ""
    key = sent[0].strip(" \t")
    if len(sent) > 1 or not 0 < len(key) <= _KEY_MAX or not key.isascii() or not key.isprintable():
        raise Malformed(
            "malformed-idempotency-key", f"send one key of 1 to {_KEY_MAX} printable characters"
        )
    return key


def _content(request: Incoming, terms: Terms, *, bound: bool) -> str:
    """Hash what is asked; a body that streams is known only by what its header says of it."""
    parts = [terms.resource.encode(), terms.body_digest.encode()]
    if not bound:
        parts += [",".join(request.values(name)).encode("latin-1") for name in _DESCRIBING]
    return to_base64url(content_hash(*parts))
