"""Finding devices and who signed what."""

from farthing.core.devices import DEVICES, Device
from farthing.errors import Unauthenticated
from farthing.services.context import Context
from farthing.services.verifying import Verifier
from farthing.store.queries import one

_KEPT = 20_000


class Directory:
    """Devices by id, as last seen. Every commit looks again, so a stale one does no harm."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._kept: dict[str, Device] = {}

    async def find(self, ident: str, *, afresh: bool = False) -> Device:
        """Get a device.

        Raises: Unauthenticated `unknown-device`.
        """
        device = None if afresh else self._kept.get(ident)
        if device is None:
            device = await self._ctx.database.read(lambda tx: one(tx, DEVICES, ident))
            if device is None:
                raise Unauthenticated("unknown-device", "enrol the device first: farthing enrol")
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[ident] = device
        return device


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
    Raises: Unauthenticated `unknown-device`, `bad-signature`; Unavailable.
    """
    line = f"{bearer} {device}"
    for afresh in (False, True):
        found = await directory.find(device, afresh=afresh)
        publics = [key.public for key in found.keys]
        key = await verifier.match(publics, signature, message, line)
        if key:
            return found, key
    raise Unauthenticated("bad-signature", "the signature is not by a key of this device")
