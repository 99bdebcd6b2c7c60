"""Where money and keys are kept."""

from typing import Annotated, Literal

import msgspec

from farthing.settings.told import told


class BooksSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which engine keeps the books."""

    engine: Annotated[
        Literal["sqlite", "postgresql", "tigerbeetle"], told("what keeps the books")
    ] = "sqlite"
    path: Annotated[str, told("SQLite's file; with TigerBeetle, that of the records")] = (
        "farthing.db"
    )
    dsn: Annotated[
        str,
        told("PostgreSQL's connection string; with TigerBeetle, where the records are if given"),
    ] = ""
    addresses: Annotated[
        str,
        told(
            "TigerBeetle's replicas in their order: 10.0.0.1:3000,10.0.0.2:3000,10.0.0.3:3000",
            examples=["127.0.0.1:3000"],
        ),
    ] = ""
    cluster: Annotated[
        str,
        told(
            "the number that TigerBeetle's cluster was made with",
            pattern="^[0-9]{1,39}$",
            examples=["0"],
        ),
    ] = "0"
    own_process: Annotated[
        Literal["auto", "always", "never"],
        told(
            "whether a process beside the hub's own writes the books, with SQLite; `auto`: where"
            " the hub may use two processors"
        ),
    ] = "auto"

    @property
    def in_file(self) -> bool:
        """Whether this machine has a file of them, which one process writes."""
        return self.engine == "sqlite" or (self.engine == "tigerbeetle" and not self.dsn)


class AuditSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The second place where heads are kept."""

    heads_path: Annotated[str, told("the file of heads; best on another disk than the books")] = (
        "heads.log"
    )


class PaymentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of payments."""

    hold_seconds_max: Annotated[int, told("the longest hold", ge=1, le=86_400)] = 86_400
    challenge_seconds: Annotated[int, told("how long a challenge is good for", ge=10, le=3_600)] = (
        300
    )


class KeysSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys under a passphrase: see docs/howto/protect-keys.md."""

    passphrase_file: Annotated[
        str, told("a file with the passphrase of the hub's keys, for its owner's eyes only")
    ] = ""
