"""Lines above which two people approve, as they bind what is new: a device, a person."""

from farthing.store.database import Tx


def two_above_at(tx: Tx, account: str) -> int | None:
    """Give the lowest line of the devices that an account has had; None where none has one.

    Shape: a device or a mandate that was revoked counts: one person alone can do that, and would
           have the account without a line by it.
    """
    sql = (
        "SELECT MIN(mandates.two_above) FROM devices JOIN mandates"
        " ON mandates.id = devices.mandate WHERE devices.account = ?"
    )
    return tx.rows(sql, (account,))[0][0]


def has_lines(tx: Tx, owner: str) -> bool:
    """Tell whether two people approve anything for an owner, or did until a mandate was revoked."""
    sql = "SELECT 1 FROM mandates WHERE owner = ? AND two_above IS NOT NULL LIMIT 1"
    return bool(tx.rows(sql, (owner,)))
