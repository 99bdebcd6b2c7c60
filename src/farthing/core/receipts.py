"""Receipts: a statement, its path to a signed head, and the key's certificate. Verify offline."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from farthing.clock import NS
from farthing.codec import canonical_json
from farthing.core.chain import Proof, proof_fault, proof_json, read_proof, write_proof
from farthing.core.identity import Certificate, certificate_fault, read_certificate
from farthing.errors import Malformed

VERSION = "farthing-receipt-1"


def write_receipt(proof: Proof, certificate: Certificate) -> dict[str, Any]:
    """Write a receipt as a JSON object."""
    return {
        "version": VERSION,
        "statement": msgspec.json.decode(proof.statement),
        "proof": write_proof(proof),
        "certificate": certificate.members(),
    }


def receipt_json(proof: Proof, certificate: Certificate) -> bytes:
    """Write the same receipt as JSON text: the statement stands in it as it was hashed."""
    return b'{"version":"%b","statement":%b,"proof":%b,"certificate":%b}' % (
        VERSION.encode(),
        proof.statement,
        proof_json(proof),
        _certificate_json(certificate),
    )


@lru_cache(maxsize=16)
def _certificate_json(certificate: Certificate) -> bytes:
    return msgspec.json.encode(certificate.members())


def receipt_fault(receipt: Mapping[str, Any], root_public: str) -> str | None:
    """Say what is wrong with a receipt, given only the hub's root key; None if it holds.

    Raises: Malformed for what is not a receipt at all.
    """
    if receipt.get("version") != VERSION:
        raise Malformed("malformed-receipt", f"a receipt has the version {VERSION}")
    statement = receipt.get("statement")
    if not isinstance(statement, dict):
        raise Malformed("malformed-receipt", "a receipt has a statement")
    proof = read_proof(_stated(statement), receipt.get("proof") or {})
    certificate = read_certificate(receipt.get("certificate") or {})
    fault = certificate_fault(certificate, root_public)
    if fault is not None:
        return f"the certificate is wrong: {fault}"
    if certificate.key != proof.head.key:
        return "the head is signed by another key than the certificate's"
    if proof.head.time_ns // NS < certificate.valid_from:
        return "the head is older than the key's certificate"
    if statement.get("hub") != certificate.hub:  # pyright: ignore[reportUnknownMemberType]
        return "the statement is about another hub"
    return proof_fault(proof)


def _stated(statement: Any) -> bytes:
    try:
        return canonical_json(statement)
    except (TypeError, ValueError):
        raise Malformed("malformed-receipt", "a statement holds texts only") from None
