"""Finding devices and who signed what."""

from farthing.core.devices import DEVICES, Device
from farthing.errors import Unauthenticated
from farthing.keys import Ed25519Signer
from farthing.services.context import Context
from farthing.services.verifying import Verifier
from farthing.store.queries import one

_KEPT = 20_000


class Directory:
    """Devices by id, as last seen. Every commit looks again, so a stale one does no harm."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._kept: dict[str, Device] = {}
        seed = ctx.random_bits(256).to_bytes(32, "big")
        self._nobodys = [Ed25519Signer(seed).public]

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

    def keys_of(self, device: Device | None) -> list[str]:
        """Give the keys a signature may be of; for a device that is not there, nobody's.

        Shape: so that a signature that does not hold is checked, and refused, in one way, and
               nobody can find out by signing anything whether there is such a device.
        """
        return [key.public for key in device.keys] if device is not None else self._nobodys


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
        key = await verifier.match(directory.keys_of(kept), signature, message, line)
        if key:
            return kept, key
    found = await directory.read(device)
    if kept is None or found != kept:
        key = await verifier.match(directory.keys_of(found), signature, message, line)
        if found is not None and key:
            return found, key
    raise Unauthenticated("bad-signature", "no key of a device enrolled here made this signature")
