"""Finding devices and who signed what."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from farthing.core.devices import DEVICES, Device
from farthing.errors import FarthingError, Unauthenticated
from farthing.keys import Ed25519Signer, P256Signer
from farthing.services.context import Context
from farthing.services.verifying import Claim, Verifier
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

    async def read_each(self, idents: Sequence[str]) -> dict[str, Device | None]:
        """Get devices as they are, each once."""
        names = list(dict.fromkeys(idents))
        found = await asyncio.gather(*map(self.read, names))
        return dict(zip(names, found, strict=True))

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


class Signed(NamedTuple):
    """A message, its signature, and the device that is said to have made it."""

    device: str
    signature: bytes
    message: bytes


async def who_signed(
    directory: Directory, verifier: Verifier, signed: Signed, bearer: str = ""
) -> tuple[Device, str]:
    """Find a device and the key of its that made a signature.

    Raises: Unauthenticated `bad-signature`; Unavailable, TooMuch.
    """
    name, device = signed.device, directory.known(signed.device)
    kept: dict[int, Device] = {}
    if device is not None:
        keys, line = directory.keys_of(name, device), f"{bearer} {name}"
        key = await verifier.match(keys, signed.signature, signed.message, line)
        if key:
            return device, key
        kept[0] = device
    [found] = await _looked_up(directory, verifier, [signed], kept, {}, bearer)
    if isinstance(found, FarthingError):
        raise found
    return found


async def who_signed_each(
    directory: Directory, verifier: Verifier, signed: Sequence[Signed], bearer: str = ""
) -> list[tuple[Device, str] | FarthingError]:
    """Find for each message the device and the key of its that signed it, side by side.

    Keys that were rotated out still count here: an old credential gets its old answer, and the
    commit itself decides whether a key may sign anything new.

    Shape:  anybody can name any device, so what waits to be verified waits in a line of its
            bearer and its device: who brings forgeries keeps nobody else waiting.
    """
    known = ((place, directory.known(one.device)) for place, one in enumerate(signed))
    kept = {place: device for place, device in known if device is not None}
    found = await _matched(directory, verifier, signed, kept, bearer)
    return await _looked_up(directory, verifier, signed, kept, found, bearer)


async def _looked_up(
    directory: Directory,
    verifier: Verifier,
    signed: Sequence[Signed],
    kept: Mapping[int, Device],
    found: dict[int, tuple[Device, str] | FarthingError | None],
    bearer: str,
) -> list[tuple[Device, str] | FarthingError]:
    """Look up devices where nothing was found with what was kept of them, and match once more."""
    unsure = [place for place in range(len(signed)) if found.get(place) is None]
    if unsure:
        looked = await directory.read_each([signed[place].device for place in unsure])
        now = {place: looked[signed[place].device] for place in unsure}
        news = {p: device for p, device in now.items() if p not in kept or device != kept[p]}
        found |= await _matched(directory, verifier, signed, news, bearer)
    return [found.get(place) or _unsigned() for place in range(len(signed))]


async def _matched(
    directory: Directory,
    verifier: Verifier,
    signed: Sequence[Signed],
    devices: Mapping[int, Device | None],
    bearer: str,
) -> dict[int, tuple[Device, str] | FarthingError | None]:
    """Match the signatures at these places with the keys of these devices, or with nobody's keys
    where it is known that there is no device; None where none of them made it.
    """
    claims: list[tuple[str, Claim]] = []
    for place, device in devices.items():
        one = signed[place]
        keys = directory.keys_of(one.device, device)
        claims.append((f"{bearer} {one.device}", (keys, one.signature, one.message)))
    matched = await verifier.match_each(claims)
    return {
        place: _answer(device, key)
        for (place, device), key in zip(devices.items(), matched, strict=True)
    }


def _answer(
    device: Device | None, key: str | FarthingError
) -> tuple[Device, str] | FarthingError | None:
    if isinstance(key, FarthingError):
        return key
    return (device, key) if device is not None and key else None


def _unsigned() -> Unauthenticated:
    return Unauthenticated("bad-signature", "no key of a device enrolled here made this signature")
