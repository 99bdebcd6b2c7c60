"""What the history states of records: the digest of each as the newest statement left it."""

from typing import Any

from farthing.core.accounts import ACCOUNTS, ASSETS
from farthing.core.audit_faults import Broken, broken
from farthing.core.cases import CASES
from farthing.core.devices import DEVICES, INVITATIONS
from farthing.core.events import Kind
from farthing.core.identities import IDENTITIES
from farthing.core.identity import CERTIFICATES
from farthing.core.listeners import ADDRESSES, LISTENERS
from farthing.core.mandates import MANDATES
from farthing.core.movements import MOVEMENTS
from farthing.core.offers import OFFERS
from farthing.core.owners import KEYS, OWNERS
from farthing.core.people import PASSKEYS, PEOPLE, SIGN_IN_CODES
from farthing.core.records import Table
from farthing.core.stated import record_digest, record_name
from farthing.core.webhooks import WEBHOOKS

STATED: dict[Table[Any], str] = {
    OWNERS: "owner",
    KEYS: "API key",
    ACCOUNTS: "account record",
    ASSETS: "asset",
    MANDATES: "mandate",
    DEVICES: "device",
    INVITATIONS: "invitation",
    OFFERS: "offer",
    CERTIFICATES: "certificate",
    PEOPLE: "person",
    PASSKEYS: "passkey",
    SIGN_IN_CODES: "sign-in code",
    IDENTITIES: "identity",
    WEBHOOKS: "webhook",
    MOVEMENTS: "movement",
    LISTENERS: "listener",
    ADDRESSES: "address",
    CASES: "case",
}
"""The tables whose records are stated, with the word for one of them."""

_WORDS = {table.name: word for table, word in STATED.items()}
_KEYED_OTHERWISE = {INVITATIONS.name, CERTIFICATES.name, ASSETS.name}
_STATED_LATER = (f"{ASSETS.name}/", f"{CASES.name}/")
"""An asset is stated from the first account on that is opened in it, a case once one decides."""

_WRITE_NOTHING = {Kind.ACCOUNT_CREDITED.value, Kind.HUB_ROLLBACK_ACCEPTED.value}


class Records:
    """Records as the statements leave them, one statement after the other.

    Shape: a statement made by a version before these digests says of no record how it is left;
           what only such statements are about is `unproven`, and counted.
    """

    def __init__(self) -> None:
        self._newest: dict[str, str] = {}
        self._older: set[str] = set()
        self._all_older = False
        self.unproven = 0

    def hear(
        self,
        leaf: int,
        kind: str,
        subject: str,
        before: dict[str, str],
        after: dict[str, str] | None,
    ) -> None:
        """Take the next administrative statement.

        Raises: Broken where it was made on a record that the history had left otherwise.
        """
        if after is None:
            self._hear_older(kind, subject)
            return
        for name in {**before, **after}:
            known, found = self._newest.get(name), before.get(name)
            later = name.startswith(_STATED_LATER)
            first = known is None and (later or self._may_be_older(name))
            if known != found and not first:
                raise _row_broken(name, _otherwise(known, found, leaf))
        self._newest.update(after)

    def _hear_older(self, kind: str, subject: str) -> None:
        if kind in _WRITE_NOTHING:
            return
        if self._newest:  # Somebody went back to an older version: nothing is known any more.
            self._newest.clear()
            self._all_older = True
        self._older.add(subject)

    def check(self, table: Table[Any], row: Any, *, unused: bool = False) -> None:
        """Compare a stored record with the newest statement of it; each is to come once.

        Shape:  `unused` tells of an asset that nothing was ever counted in, and of a case that
                nobody has looked at.
        Raises: Broken.
        """
        name = record_name(table, table.key_of(row))
        known = self._newest.pop(name, None)
        if known is not None:
            if record_digest(table, row) != known:
                raise _row_broken(name, "it is not what its newest statement says")
        elif self._may_be_older(name, getattr(row, "id", "")):
            self.unproven += 1
        elif not unused:
            raise _row_broken(name, "the history does not state it")

    def check_none_missing(self) -> None:
        """Check that every record stated was there.

        Raises: Broken.
        """
        if self._newest:
            raise _row_broken(min(self._newest), "it is missing; the history states it")

    def _may_be_older(self, name: str, ident: str = "") -> bool:
        """Tell whether an older version can have written this record without a digest."""
        table, _, key = name.partition("/")
        if table in _KEYED_OTHERWISE and not ident:
            return bool(self._older)
        return self._all_older or (ident or key) in self._older


def _row_broken(name: str, what: str) -> Broken:
    table, _, key = name.partition("/")
    return broken(_WORDS.get(table, table), what, name=key)


def _otherwise(known: str | None, found: str | None, leaf: int) -> str:
    if known is None:
        return f"leaf {leaf} was made on it, but no statement before has it"
    if found is None:
        return f"it was gone when leaf {leaf} wrote it anew"
    return f"it was changed before leaf {leaf} was made on it"
