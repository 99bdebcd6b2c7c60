"""What a client is told about sessions, read: how much, and where they are kept."""

from pathlib import Path

from farthing.device.purse import Purse
from farthing.errors import BadConfig
from farthing.money import Amount


def amount_told(purse: Purse, told: str | Amount) -> Amount:
    """Read an amount that may be a price in the hub's assets.

    Raises: MalformedPrice.
    """
    return purse.price(told) if isinstance(told, str) else told


def folder_told(purse: Purse, told: Path | None, name: str) -> Path:
    """Give the folder that sessions are kept in: what was told, or one in the purse's.

    Raises: BadConfig `no-purse-folder`.
    """
    folder = told or (purse.path / name if purse.path is not None else None)
    if folder is None:
        raise BadConfig("no-purse-folder", "a session needs a folder: pass files=")
    return folder
