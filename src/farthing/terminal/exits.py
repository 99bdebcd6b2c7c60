"""Exit codes: one for each way a command can end, the same for every command."""

from enum import IntEnum

from farthing.errors import (
    BadConfig,
    Conflict,
    FarthingError,
    Forbidden,
    Malformed,
    Missing,
    OutcomeUnknown,
    PaymentRefused,
    PlugMissing,
    TooLarge,
    Unauthenticated,
    Unavailable,
)


class Exit(IntEnum):
    """Why a command ended; a script can tell refused, awaiting and unknown apart."""

    OK = 0
    BUG = 1
    USAGE = 2
    REFUSED = 3
    AWAITING_OWNER = 4
    OUTCOME_UNKNOWN = 5
    NOT_VALID = 6
    UNAVAILABLE = 7
    SETTINGS = 8
    MISSING = 9
    CONFLICT = 10
    WILL_NOT_PAY = 11
    NOT_ALLOWED = 12
    HTTP_ERROR = 22
    INTERRUPTED = 130


EXPLAINED = {
    Exit.OK: "done",
    Exit.BUG: "an internal fault of this software",
    Exit.USAGE: "what was typed cannot be read",
    Exit.REFUSED: "a rule, a mandate or the ledger said no; no money was taken",
    Exit.AWAITING_OWNER: "the owner is asked; the same command again asks how it stands",
    Exit.OUTCOME_UNKNOWN: "not heard, not proven, or paid and not answered: the same command again",
    Exit.NOT_VALID: "what was checked is not right: an audit, a receipt, a price file, a check",
    Exit.UNAVAILABLE: "the hub, the shop or the network cannot be reached just now",
    Exit.SETTINGS: "the configuration, the purse, a file or an optional part",
    Exit.MISSING: "there is no such thing",
    Exit.CONFLICT: "in conflict with what is recorded: exists, already spent, paid before",
    Exit.WILL_NOT_PAY: "the price is above the payer's own limits, or not payable by this purse",
    Exit.NOT_ALLOWED: "the key, the device or the person may not do this",
    Exit.HTTP_ERROR: "an HTTP error of the shop, with --fail",
    Exit.INTERRUPTED: "stopped by Ctrl-C",
}

_BY_KIND: list[tuple[type[FarthingError], Exit]] = [
    (PaymentRefused, Exit.REFUSED),
    (OutcomeUnknown, Exit.OUTCOME_UNKNOWN),
    (Unavailable, Exit.UNAVAILABLE),
    (Malformed, Exit.USAGE),
    (TooLarge, Exit.USAGE),
    (BadConfig, Exit.SETTINGS),
    (PlugMissing, Exit.SETTINGS),
    (Missing, Exit.MISSING),
    (Conflict, Exit.CONFLICT),
    (Unauthenticated, Exit.NOT_ALLOWED),
    (Forbidden, Exit.NOT_ALLOWED),
]

_ON_THIS_DISK = {
    "cannot-write",
    "hub-id-mismatch",
    "key-file-open-to-others",
    "malformed-journal",
    "malformed-key-file",
    "malformed-purse",
    "no-purse",
}
"""Found on this disk, not typed."""


_OUR_FAULT = {"internal-error", "invariant-broken"}
"""Also where a hub elsewhere says so of itself."""


def exit_of(error: FarthingError) -> Exit:
    """Give the exit code of an error; an error may carry its own as `exit`."""
    own = getattr(error, "exit", None)
    if isinstance(own, Exit):
        return own
    if error.code in _OUR_FAULT:
        return Exit.BUG
    if error.code in _ON_THIS_DISK:
        return Exit.SETTINGS
    return next((code for kind, code in _BY_KIND if isinstance(error, kind)), Exit.BUG)
