"""The hub's identity: a root key fixed for life, and signing keys that it certifies with dates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from farthing.clock import parse_time, write_time
from farthing.codec import canonical_json, from_base64url, to_base64url
from farthing.core.decisions import Outcome, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import state_change
from farthing.core.owners import OPERATOR_OWNER
from farthing.core.records import Read, Table, Write
from farthing.errors import Malformed
from farthing.keys import Signer, fingerprint, verify

_DOMAIN = b"farthing-certificate-1\n"


class Certificate(msgspec.Struct, frozen=True):
    """The root key's word that a key may sign heads. Units: Unix seconds; 0 is open-ended."""

    key: str
    hub: str
    valid_from: int
    signature: bytes

    def signed_bytes(self) -> bytes:
        """Give the bytes the root key signs."""
        members = {"from": write_time(self.valid_from), "hub": self.hub, "key": self.key}
        return _DOMAIN + canonical_json(members)

    def members(self) -> dict[str, str]:
        """Write the certificate as it stands in receipts and at `/.well-known/farthing`."""
        return {
            "from": write_time(self.valid_from),
            "hub": self.hub,
            "key": self.key,
            "signature": to_base64url(self.signature),
        }


CERTIFICATES = Table("certificates", Certificate, "key", free=())


def certify(root: Signer, key: str, valid_from: int) -> Certificate:
    """Certify a signing key with the hub's root key."""
    bare = Certificate(key, fingerprint(root.public), valid_from, b"")
    return msgspec.structs.replace(bare, signature=root.sign(bare.signed_bytes()))


def read_certificate(members: Mapping[str, Any]) -> Certificate:
    """Read a certificate as it stands in a receipt.

    Raises: Malformed `malformed-certificate`.
    """
    try:
        read = Certificate(
            str(members["key"]),
            str(members["hub"]),
            parse_time(members["from"]),
            from_base64url(members["signature"]),
        )
        read.signed_bytes()
        return read
    except (KeyError, TypeError, AttributeError, ValueError, Malformed):
        raise Malformed("malformed-certificate", "this is not a certificate of a hub") from None


def certificate_fault(certificate: Certificate, root_public: str) -> str | None:
    """Say what is wrong with a certificate, seen from the root key one trusts."""
    if certificate.hub != fingerprint(root_public):
        return "it is of another hub"
    if not verify(root_public, certificate.signature, certificate.signed_bytes()):
        return "it is not signed by the hub's root key"
    return None


@dataclass(frozen=True, slots=True)
class AdmitKey:
    """Put a newly certified signing key on the hub's list, in the history itself."""

    certificate: Certificate
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Certificate]:
        """Admit it once."""
        if view.get(CERTIFICATES, self.certificate.key) is not None:
            return Outcome(self.certificate)
        subject = f"key:{fingerprint(self.certificate.key)}"
        fact = Fact(OPERATOR_OWNER, Kind.HUB_KEY_ROTATED, subject, {"key": self.certificate.key})
        return state_change(view, self.certificate, [fact], [Write(CERTIFICATES, self.certificate)])


@dataclass(frozen=True, slots=True)
class AcceptRollback:
    """Record that the operator went on with books older than their newest known head."""

    lost: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[str]:
        """State it, so that it stays on record."""
        subject = f"head:{self.lost}"
        fact = Fact(OPERATOR_OWNER, Kind.HUB_ROLLBACK_ACCEPTED, subject, {"lost": self.lost})
        return state_change(view, self.lost, [fact], [])
