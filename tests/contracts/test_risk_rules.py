"""Every rule on the shelf keeps what a rule has to: a new file is put to it unlisted."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.risk.base import Facts
from farthing.risk.settings import rule_kind, rule_names
from tests.risk.orders import QUIET

NAMES = st.sampled_from(["", "dev_1", "acc_1", "home"])
COUNTS = st.one_of(st.integers(0, 300), st.integers(0, 2**62))


def test_the_shelf_has_the_rules_that_owners_are_told_of():
    assert {"velocity", "spike", "new_payee", "new_place", "listed"} <= set(rule_names())


@pytest.mark.parametrize("name", rule_names())
def test_a_rule_has_defaults_and_says_nothing_of_a_plain_order(name: str):
    assert rule_kind(name)().judge(QUIET) is None


@pytest.mark.parametrize("name", rule_names())
def test_a_rule_says_what_it_is_for_and_takes_no_unknown_setting(name: str):
    kind: Any = rule_kind(name)
    assert kind.__doc__.startswith("Speaks")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"no_such_setting": 1}, kind)


@given(facts=st.builds(Facts, *[NAMES] * 3, *[COUNTS] * (len(Facts.__struct_fields__) - 3)))
def test_a_rule_answers_any_facts_in_a_few_words_and_always_alike(facts: Facts):
    for name in rule_names():
        rule = rule_kind(name)()
        said = rule.judge(facts)
        assert said == rule.judge(facts)
        assert said is None or 0 < len(said) < 160
