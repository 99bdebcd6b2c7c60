"""A device's purse: a folder with its key, what it knows of its hub, and its journal.

purse.json    device, hub, where the hub is, the hub's root key        mode 0600
device.key    the private key, under a passphrase if asked for        mode 0600
journal/      credentials that were signed and whose outcome is open
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from farthing import keys
from farthing.bounded import read_file
from farthing.core.orders import Order, SignedOrder
from farthing.device.journal import FolderJournal, Journal, MemoryJournal
from farthing.errors import Malformed, ensure
from farthing.folders import private_folder
from farthing.money import Amount, Asset, parse_price
from farthing.passphrases import KeysPassphrase
from farthing.sealing import Passphrase

FORMAT = "farthing-purse-1"
SCALES: Mapping[str, int] = {"EUR": 6, "USD": 6}
"""Assets and their decimals that a hub has unless it says otherwise."""

_FILE, _KEY, _JOURNAL = "purse.json", "device.key", "journal"


class Membership(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device knows of itself and its hub: the content of `purse.json`.

    Shape: `max` is the largest single payment this device signs, as a price such as
           `"0.05 USD"`, or empty for the client's own default; `assets` maps codes to scales.
    """

    format: str = FORMAT
    device: str
    hub: str
    hub_url: str
    root_key: str
    account: str = ""
    mandate: str = ""
    name: str = ""
    max: str = ""
    assets: dict[str, int] = msgspec.field(default_factory=lambda: dict(SCALES))


@dataclass(frozen=True, slots=True)
class Purse:
    """A device's key, its membership at a hub, and the journal of what it has signed."""

    membership: Membership
    signer: keys.Signer
    journal: Journal = field(default_factory=MemoryJournal)
    path: Path | None = None

    @property
    def device(self) -> str:
        """The device's id."""
        return self.membership.device

    @property
    def hub(self) -> str:
        """The hub's id, which follows from its root key."""
        return self.membership.hub

    @property
    def hub_url(self) -> str:
        """Where the hub answers."""
        return self.membership.hub_url

    @property
    def assets(self) -> dict[str, Asset]:
        """The hub's assets by code."""
        return {code: Asset(code, scale) for code, scale in self.membership.assets.items()}

    def price(self, text: str) -> Amount:
        """Read a price in the hub's assets.

        Raises: MalformedPrice.
        """
        return parse_price(text, self.assets)

    def sign(self, order: Order) -> SignedOrder:
        """Sign an order of this device on this hub; whether to is the caller's to decide."""
        ensure(order.device == self.device and order.hub == self.hub, "an order is one's own")
        return SignedOrder(order, self.signer.sign(order.signed_bytes()))


def default_path() -> Path:
    """Give the purse's folder: `$FARTHING_PURSE`, or else `purse` where all else is kept."""
    told, home = os.environ.get("FARTHING_PURSE"), os.environ.get("FARTHING_HOME")
    return Path(told) if told else Path(home or Path.home() / ".farthing") / "purse"


def key_path(path: Path) -> Path:
    """Give the place of a purse's private key."""
    return path / _KEY


def is_purse(path: Path) -> bool:
    """Tell whether a folder holds an enrolled device."""
    return (path / _FILE).exists()


def check_membership(membership: Membership) -> Membership:
    """Check what was read or received, and give it back.

    Raises: Malformed `malformed-purse`, `hub-id-mismatch`.
    """
    keys.check_public_key(membership.root_key)
    if keys.fingerprint(membership.root_key) != membership.hub:
        raise Malformed("hub-id-mismatch", "the hub's id does not follow from its root key")
    if membership.format != FORMAT or not membership.device.startswith("dev_"):
        raise Malformed("malformed-purse", f"a purse has the format {FORMAT} and a device's id")
    if membership.max:
        assets = {code: Asset(code, scale) for code, scale in membership.assets.items()}
        parse_price(membership.max, assets)
    return membership


def device_passphrase() -> KeysPassphrase:
    """Give the passphrase of a device's key, which is asked for only where the key has one."""
    return KeysPassphrase("this device's key")


def open_purse(path: Path, passphrase: Passphrase | None = None) -> Purse:
    """Open the purse in a folder.

    Raises: Malformed `no-purse`, `malformed-purse`, `hub-id-mismatch`, `malformed-key-file`,
            `key-file-open-to-others`; BadConfig `passphrase-needed`, `wrong-passphrase`.
    """
    try:
        membership = msgspec.json.decode(read_file(path / _FILE), type=Membership)
    except FileNotFoundError:
        detail = f"there is no purse in {path}; run: farthing enrol HUB_URL CODE --purse {path}"
        raise Malformed("no-purse", detail) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise Malformed("malformed-purse", f"{path / _FILE}: {fault}") from None
    signer = keys.read_key_file(path / _KEY, passphrase or device_passphrase())
    return Purse(check_membership(membership), signer, FolderJournal(path / _JOURNAL), path)


def save_membership(path: Path, membership: Membership) -> None:
    """Write `purse.json` whole or not at all."""
    private_folder(path)
    draft = path / f"{_FILE}.draft"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(membership), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path / _FILE)
