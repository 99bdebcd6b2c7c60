"""Finding devices and who signed what."""

import hashlib

from farthing.core.devices import DEVICES, Device
from farthing.errors import Unauthenticated
from farthing.keys import Ed25519Signer, P256Signer
from farthing.services.context import Context
from farthing.services.verifying import Verifier
from farthing.store.queries import one

_KEPT = 20_000


class Directory:
    """Devices by id, as last seen. Every commit looks again, so a stale one does no harm."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._kept: dict[str, Device] = {}
        self._seed = ctx.random_bits(255).to_bytes(32, "big")
        one, other = Ed25519Signer(self._seed).public, P256Signer(self._seed).public
        self._nobodys = [[one], [other], [one, one], [other, other]]

    def known(self, ident: str) -> Device | None:
        """Get a device as it was last seen here, without asking the database."""
        return self._kept.get(ident)

    async def read(self, ident: str) -> Device | None:
        """Get a device as it is."""
        device = await self._ctx.database.read(lambda tx: one(tx, DEVICES, ident))
        if device is not None:
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[ident] = device
        return device

    def keys_of(self, ident: str, device: Device | None) -> list[str]:
        """Give the keys a signature may be of; for a device that is not there, nobody's.

        Shape: so that a signature that does not hold is checked, and refused, in one way, and
               nobody can find out by signing anything whether there is such a device. Of what
               kind nobody's keys are, and how many, differs by id as it does among devices.
        """
        if device is not None:
            return [key.public for key in device.keys]
        drawn = hashlib.blake2s(ident.encode(), digest_size=1, key=self._seed).digest()[0]
        return self._nobodys[drawn % len(self._nobodys)]


async def who_signed(
    directory: Directory,
    verifier: Verifier,
    device: str,
    signature: bytes,
    message: bytes,
    bearer: str = "",
) -> tuple[Device, str]:
    """Find a device and the key of its that made a signature.

    Keys that were rotated out still count here: an old credential gets its old answer, and the
    commit itself decides whether a key may sign anything new.

    Shape:  anybody can name any device, so what waits to be verified waits in a line of its
            bearer and its device: who brings forgeries keeps nobody else waiting.
    Raises: Unauthenticated `bad-signature`; Unavailable.
    """
    line = f"{bearer} {device}"
    kept = directory.known(device)
    if kept is not None:
        key = await verifier.match(directory.keys_of(device, kept), signature, message, line)
        if key:
            return kept, key
    found = await directory.read(device)
    if kept is None or found != kept:
        key = await verifier.match(directory.keys_of(device, found), signature, message, line)
        if found is not None and key:
            return found, key
    raise Unauthenticated("bad-signature", "no key of a device enrolled here made this signature")
