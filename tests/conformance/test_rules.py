"""Every rule has its tests, and every test that names a rule names one that exists."""

from collections import defaultdict

from .rules import FILES, FOLDER, SURFACES, all_rules, shown


def test_a_rule_says_where_it_holds_or_why_it_does_not():
    rules = all_rules()
    assert len({rule.id for rule in rules}) == len(rules)
    for rule in rules:
        assert sum(map(bool, (rule.on, rule.later, rule.part))) == 1, rule.id
        assert set(rule.surfaces) <= set(SURFACES), rule.id
        assert rule.says.endswith("."), rule.id
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(FILES)


def test_a_rule_is_shown_on_each_of_its_surfaces():
    looked = defaultdict(set)
    for one in shown():
        looked[one.rule] |= set(one.surfaces)
    unseen = {rule.id: set(rule.surfaces) - looked[rule.id] for rule in all_rules()}
    assert not {rule: surfaces for rule, surfaces in unseen.items() if surfaces}


def test_a_test_names_rules_that_hold_and_says_where_it_looks():
    held = {rule.id: rule for rule in all_rules() if rule.on}
    for one in shown():
        assert one.rule in held, f"{one.test} names {one.rule}, which is no rule that holds"
        assert one.surfaces, f"{one.test} does not say on which surfaces it looks"
        assert set(one.surfaces) <= set(SURFACES), one.test


def test_every_test_here_names_a_rule():
    named = {one.test for one in shown()}
    own = {"test_rules.py", "test_page.py", "test_breaks.py"}
    for file in FOLDER.parent.glob("test_*.py"):
        if file.name not in own:
            for line in file.read_text().splitlines():
                if line.startswith(("def test_", "async def test_")):
                    name = line.split("def ")[1].split("(")[0]
                    assert f"conformance/{file.name}::{name}" in named, name
