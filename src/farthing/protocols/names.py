"""The fixed words of our method on both protocols: names, header fields, limits."""

import re

METHOD = "farthing"
INTENT = "charge"
MPP = "mpp"

X402 = "x402"
X402_VERSION = 2
SCHEME = "exact"
UPTO = "upto"
"""An order for the most that may be taken; its seller settles for what was used."""
BATCH = "batch-settlement"
"""A session: a deposit, and a voucher with each request, of which what was used is charged."""
NAMESPACE = "farthing"

CHALLENGE_FIELD = "www-authenticate"
CREDENTIAL_FIELD = "authorization"
RECEIPT_FIELD = "payment-receipt"
REQUIRED_FIELD = "payment-required"
SIGNATURE_FIELD = "payment-signature"
RESPONSE_FIELD = "payment-response"

CREDENTIAL_CHARACTERS_MAX = 16 * 1024
"""A longer credential is malformed; MPP asks for at least 4 KB."""

ANSWER_CHARACTERS_MAX = 64 * 1024
"""A payer reads no longer challenge, requirement or receipt than this."""

PAYMENT_IDENTIFIER = "payment-identifier"
PAYMENT_IDENTIFIER_TEXT = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)

_NETWORK = re.compile(r"farthing:([A-Za-z0-9_-]{1,32})", re.ASCII)


def network(hub: str) -> str:
    """Write a hub's id as a CAIP-2 network."""
    return f"{NAMESPACE}:{hub}"


def hub_of(name: str) -> str | None:
    """Read the hub's id out of a network, or None when the network is another's."""
    read = _NETWORK.fullmatch(name)
    return read[1] if read else None
