"""The audit compares cases with the payments they are of, and with what was said of them."""

import pytest


def one_of(spoilt, state):
    return spoilt.rows("SELECT id, payment FROM cases WHERE state = ? ORDER BY id LIMIT 1", state)[
        0
    ]


@pytest.mark.parametrize(
    "state, changes, what",
    [
        ("open", "state = 'decided', verdict = 'fraud'", "the history does not state it"),
        ("open", "verdict = 'fraud'", "it is open, and something was said of it"),
        ("open", "device = 'dev_another'", "its payment says otherwise"),
        ("open", "opened_ns = opened_ns + 1", "its payment says otherwise"),
        ("proposed", "proposed_by = 'per_me'", "it is not what its newest statement says"),
        ("decided", "verdict = 'legitimate'", "it is not what its newest statement says"),
        ("decided", "payee = 'acc_another'", "it is not what its newest statement says"),
        ("decided", "state = 'open'", "it is not what its newest statement says"),
    ],
)
def test_a_case_that_somebody_changed_is_named(spoilt, state, changes, what):
    ident, _ = one_of(spoilt, state)
    report = spoilt.audit((f"UPDATE cases SET {changes} WHERE id = ?", (ident,)))
    assert not report.ok
    assert ident in report.text
    assert what in report.text


def test_a_decision_that_was_taken_back_without_a_trace_is_found(spoilt):
    ident, _ = one_of(spoilt, "decided")
    undone = "state = 'open', verdict = '', decided_by = '', proposed_by = '', steps = '[]'"
    report = spoilt.audit(
        (f"UPDATE cases SET {undone}, changed_ns = opened_ns WHERE id = ?", (ident,))
    )
    assert "it is not what its newest statement says" in report.text


@pytest.mark.parametrize(
    "state, what", [("open", "2 have a case"), ("decided", "the history states it")]
)
def test_a_case_that_is_gone_is_missed(spoilt, state, what):
    ident, _ = one_of(spoilt, state)
    report = spoilt.audit(("DELETE FROM cases WHERE id = ?", (ident,)))
    assert what in report.text


def test_a_case_of_a_payment_that_was_never_flagged_is_found(spoilt):
    ident, _ = one_of(spoilt, "open")
    [(plain,)] = spoilt.rows("SELECT id FROM payments WHERE risk = '' ORDER BY id LIMIT 1")
    report = spoilt.audit(("UPDATE cases SET payment = ? WHERE id = ?", (plain, ident)))
    assert "its payment is not flagged" in report.text
    assert ident in report.text
