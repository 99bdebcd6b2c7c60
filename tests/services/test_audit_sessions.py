"""The audit of sessions: whatever is changed in a session's record is found and named."""

import json

import pytest

from farthing.core.sessions import SESSIONS, Session
from farthing.core.vouchers import Claims, sign_voucher
from farthing.keys import Ed25519Signer
from farthing.store.mapping import mapping

OPEN, CLOSED, UNSETTLED = "unsettled = 0 AND state = 'open'", "units = 130", "unsettled > 0"
FREE = {"sequence", "changed_ns", "ended_by"}
"""What nothing that was signed says: the highest sequence may be later than the voucher's own."""


def only(spoilt, where):
    mapped = mapping(SESSIONS)
    [row] = spoilt.rows(f"{mapped.select} WHERE {where}")
    return mapped.row(row)


def changed(value):
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, bytes):
        return value[:-1] + bytes((value[-1] ^ 1,)) if value else b"\1"
    if value in ("open", "closed"):
        return "closed" if value == "open" else "open"
    return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "payer"


@pytest.mark.parametrize("where", [OPEN, CLOSED, UNSETTLED])
@pytest.mark.parametrize("column", [c for c in Session.__struct_fields__ if c not in FREE])
def test_a_changed_byte_of_a_session_is_found(spoilt, where, column):
    session = only(spoilt, where)
    [[value]] = spoilt.rows(f"SELECT {column} FROM sessions WHERE id = ?", session.id)
    if (where, column) == (UNSETTLED, "created_ns"):
        pytest.skip("its payer ended it early, so its beginning follows from nothing signed")
    sql = f"UPDATE sessions SET {column} = ? WHERE id = ?"
    report = spoilt.audit((sql, (changed(value), session.id)))
    assert report.fault is not None
    if column != "id":
        assert report.fault.table in ("session", "sessions", "payment"), report.text


@pytest.mark.parametrize("where", [OPEN, CLOSED, UNSETTLED])
def test_a_missing_session_is_found(spoilt, where):
    report = spoilt.audit(("DELETE FROM sessions WHERE id = ?", (only(spoilt, where).id,)))
    assert report.fault is not None


def test_a_voucher_of_somebody_else_is_found(spoilt):
    session = only(spoilt, OPEN)
    claims = Claims(session.alias, 140, 9, 2**40)
    forged = sign_voucher(Ed25519Signer(b"x" * 32), session.agreed, claims)
    sql = "UPDATE sessions SET voucher = ?, units = 140, sequence = 9 WHERE id = ?"
    report = spoilt.audit((sql, (forged, session.id)))
    assert "not signed by its device" in report.text


def test_a_deposit_that_its_session_forgot_is_found(spoilt):
    session = only(spoilt, OPEN)
    sql = (
        "UPDATE sessions SET deposits = ?, deposit = 100, voucher = ?, units = 0, sequence = 0,"
        " ticks = 0, tick = ?"
    )
    kept = json.dumps(session.deposits[:1])
    report = spoilt.audit((f"{sql} WHERE id = ?", (kept, b"", b"", session.id)))
    assert "does not know of it" in report.text


def test_a_session_is_found_that_counts_ticks_which_nobody_showed(spoilt):
    session = only(spoilt, OPEN)
    assert (session.ticks, session.units) == (20, 120)
    higher = "UPDATE sessions SET ticks = ticks + 1, units = units + 5 WHERE id = ?"
    report = spoilt.audit((higher, (session.id,)))
    assert "not of the ladder that its device signed" in report.text
    more = "UPDATE sessions SET ticks = 41, units = 225, deposit = 300 WHERE id = ?"
    report = spoilt.audit((more, (session.id,)))
    assert report.fault is not None
