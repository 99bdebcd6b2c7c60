"""Where models are kept: a folder of files, and who of them is champion and challenger.

A model is named by its digest. Which ones score is a file of its own, signed by the hub's key when
the operator promotes one: a model that was put there, or changed, by somebody else is not loaded.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec

from farthing import secret_files
from farthing.bounded import read_file
from farthing.clock import NS, Clock
from farthing.codec import canonical_json, from_base64url, to_base64url
from farthing.errors import Conflict, Malformed, Missing
from farthing.folders import private_folder
from farthing.keys import Signer, verify
from farthing.risk.kept import BYTES_MAX, Kept, digest_of, name_of, read_kept, write_kept
from farthing.settings import Config

Role = Literal["champion", "challenger"]
ROLES: tuple[Role, ...] = ("champion", "challenger")

_DOMAIN = b"farthing-model-roles-1\n"
_Word = Annotated[str, msgspec.Meta(max_length=200)]


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model by its name and the digest of its file."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z]+-[0-9a-f]{12}$")]
    digest: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class Roles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who scores. Units: `at` is Unix seconds. Shape: `signature` is by `key` over the rest."""

    at: int
    champion: Named | None = None
    challenger: Named | None = None
    key: _Word = ""
    signature: _Word = ""

    def signed_bytes(self) -> bytes:
        """Give the bytes that the hub's key signs."""
        members = {role: _members(who) for role, who in _holders(self).items()}
        return _DOMAIN + canonical_json({**members, "at": str(self.at), "key": self.key})


def _holders(roles: Roles) -> dict[Role, Named | None]:
    return {"champion": roles.champion, "challenger": roles.challenger}


def _without(roles: Roles, name: str) -> dict[Role, Named | None]:
    """Tell who scores when nobody of that name does any more."""
    left: dict[Role, Named | None] = {}
    for role, who in _holders(roles).items():
        left[role] = None if who is None or who.name == name else who
    return left


def _members(named: Named | None) -> dict[str, str]:
    return {} if named is None else {"digest": named.digest, "name": named.name}


class Listed(NamedTuple):
    """A model on the shelf. Shape: `kept` is None of one that is unusable, and `fault` says why."""

    name: str
    kept: Kept | None
    fault: str


class Shelf:
    """The folder of models. Shape: `trusted` tells whether a public key is one of the hub's."""

    def __init__(self, folder: Path, trusted: Callable[[str], bool]) -> None:
        self.folder, self._trusted = folder, trusted

    @property
    def stamp(self) -> tuple[int, int]:
        """Tell by two numbers whether roles may have changed."""
        try:
            told = self._roles.stat()
        except FileNotFoundError:
            return 0, 0
        return told.st_mtime_ns, told.st_size

    def roles(self) -> Roles:
        """Read who scores; nobody where nobody was promoted.

        Raises: Malformed `model-roles-unusable`.
        """
        try:
            roles = msgspec.json.decode(read_file(self._roles), type=Roles, strict=True)
            signature = from_base64url(roles.signature)
        except FileNotFoundError:
            return Roles(0)
        except (ValueError, Malformed, OSError) as fault:
            raise _roles_unusable(f"it cannot be read: {fault}") from None
        if not self._trusted(roles.key):
            raise _roles_unusable("it is signed by no key of this hub; promote the model again")
        if not verify(roles.key, signature, roles.signed_bytes()):
            raise _roles_unusable("its signature is not right; promote the model again")
        return roles

    def read(self, named: Named) -> Kept:
        """Read a model that has a role.

        Raises: Malformed `model-unusable`; Missing `no-such-model`.
        """
        raw = self._raw(named.name)
        if digest_of(raw) != named.digest:
            raise Malformed("model-unusable", f"{named.name} is not the file that was promoted")
        return read_kept(raw)

    def get(self, name: str) -> Kept:
        """Read a model by its name, whose digest is in it.

        Raises: Malformed `model-unusable`; Missing `no-such-model`.
        """
        raw = self._raw(name)
        kept = read_kept(raw)
        if name_of(kept.card.kind, raw) != name:
            raise Malformed("model-unusable", f"{name} is not what its name says")
        return kept

    def all(self) -> Iterator[Listed]:
        """List every model, those that cannot be used as well."""
        for file in sorted(self.folder.glob("*-*.json")):
            try:
                yield Listed(file.stem, self.get(file.stem), "")
            except (Malformed, Missing, OSError) as fault:
                yield Listed(file.stem, None, str(fault))

    def add(self, kept: Kept) -> str:
        """Keep a model, and name it."""
        raw = write_kept(kept)
        name = name_of(kept.card.kind, raw)
        private_folder(self.folder)
        secret_files.replace_secret(self.folder / f"{name}.json", raw)
        return name

    def give(self, role: Role, name: str, signer: Signer, clock: Clock) -> Roles:
        """Have a model score in a role from here on, signed by the hub's key.

        Raises: Malformed `model-unusable`; Missing `no-such-model`.
        """
        self.get(name)
        named = Named(name, digest_of(self._raw(name)))
        before = self._roles_or_none()
        left = _without(before, name)
        return self._write({**left, role: named}, signer, clock)

    def retire(self, name: str, signer: Signer, clock: Clock) -> Roles:
        """Have a model score no more.

        Raises: Conflict `model-has-no-role`; Malformed `model-roles-unusable`.
        """
        before = self.roles()
        if name not in [who.name for who in _holders(before).values() if who is not None]:
            raise Conflict("model-has-no-role", f"{name} does not score; nothing is to be retired")
        return self._write(_without(before, name), signer, clock)

    @property
    def _roles(self) -> Path:
        return self.folder / "roles.json"

    def _roles_or_none(self) -> Roles:
        """Read who scores; nobody, where that is what is to be mended."""
        try:
            return self.roles()
        except Malformed:
            return Roles(0)

    def _raw(self, name: str) -> bytes:
        if "/" in name or "\0" in name:
            raise Missing("no-such-model", "a model's name has no slash")
        try:
            return read_file(self.folder / f"{name}.json", BYTES_MAX)
        except FileNotFoundError:
            raise Missing("no-such-model", f"there is no model {name}") from None
        except OSError as fault:
            raise Malformed("model-unusable", f"{name} cannot be read: {fault.strerror}") from None

    def _write(self, told: dict[Role, Named | None], signer: Signer, clock: Clock) -> Roles:
        bare = Roles(clock() // NS, **told, key=signer.public)
        signature = to_base64url(signer.sign(bare.signed_bytes()))
        roles = msgspec.structs.replace(bare, signature=signature)
        raw = msgspec.json.format(msgspec.json.encode(roles), indent=1) + b"\n"
        secret_files.replace_secret(self._roles, raw)
        return roles


def shelf_of(config: Config, trusted: Callable[[str], bool]) -> Shelf:
    """Give the shelf of a hub."""
    return Shelf(config.path("models"), trusted)


def _roles_unusable(why: str) -> Malformed:
    return Malformed("model-roles-unusable", f"models/roles.json is not used: {why}")
