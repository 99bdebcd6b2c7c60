"""A hub and its fleet in a folder that stays: `bench.stored` makes them once and comes back."""

import asyncio
from pathlib import Path

import msgspec

from bench.engines import configure
from bench.fleet import Fleet, Spender, furnish
from farthing.config import load_config
from farthing.keys import Ed25519Signer
from farthing.settings import Config


class KeptSpender(msgspec.Struct, frozen=True):
    """A device and the seed of its key."""

    device: str
    seed: bytes


class KeptFleet(msgspec.Struct, frozen=True):
    """A fleet as it is written down."""

    hub: str
    spenders: list[KeptSpender]
    payees: list[str]


def kept_hub(folder: Path, devices: int) -> tuple[Config, Fleet]:
    """Give the folder's hub and fleet; where there are none, make them."""
    file = folder / "fleet.msgpack"
    if file.exists():
        config = load_config(folder / "farthing.toml", {})
        return config, _read(file)
    folder.mkdir(parents=True, exist_ok=True)
    config = configure(folder, "sqlite", "")
    fleet = asyncio.run(furnish(config, devices))
    spenders = [KeptSpender(spender.device, spender.signer.seed) for spender in fleet.spenders]
    file.write_bytes(msgspec.msgpack.encode(KeptFleet(fleet.hub, spenders, list(fleet.payees))))
    return config, fleet


def _read(file: Path) -> Fleet:
    kept = msgspec.msgpack.decode(file.read_bytes(), type=KeptFleet)
    spenders = [Spender(spender.device, Ed25519Signer(spender.seed)) for spender in kept.spenders]
    return Fleet(kept.hub, spenders, kept.payees)
