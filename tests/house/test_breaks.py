"""Every break on purpose fits the code, every rule has one, and every test of a rule sees one.

That tests fail on broken code is run by `tests/conformance/test_breaks.py`.
"""

from tests.conformance.breaking import SOURCE, breaks
from tests.conformance.rules import all_rules, shown

BREAKS = breaks()

BLIND = {
    "test_a_login_in_front_is_asked_first": "the login is the seller's own",
    "test_two_lengths": "the parsers of both servers refuse it too, before our own check",
    "test_asking_changes_nothing": "a break would have to add a write, not to take a check away",
    "test_an_approved_payment_is_served_under_its_key": "two ways hold it, each without the other",
}
"""Tests here that no small break can fail, and why."""


def test_every_break_breaks_what_is_there():
    rules = {rule.id for rule in all_rules() if rule.on}
    for one in BREAKS:
        assert set(one.rules) <= rules, one.name
        assert (SOURCE / one.file).read_text().count(one.old) == 1, (
            f"the code has changed: write this break anew, in tests/conformance/breaks: {one.name}"
        )
        assert one.old != one.new
        compile((SOURCE / one.file).read_text().replace(one.old, one.new), one.name, "exec")
        assert {test.partition("::")[2] for test in one.tests} == set(one.seen_by), one.name


def test_every_rule_is_broken_or_says_why_not():
    broken = {rule for one in BREAKS for rule in one.rules}
    for rule in all_rules():
        if rule.on:
            assert (rule.id in broken) != bool(rule.unbroken), rule.id


def test_every_test_here_sees_a_break():
    seeing = {test for one in BREAKS for test in one.tests}
    blind = {one.test for one in shown() if one.test.startswith("conformance/")} - seeing
    assert {test.partition("::")[2] for test in blind} == set(BLIND)
