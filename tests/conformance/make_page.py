"""Writes docs/reference/conformance.md from the rules and the tests that name them.

Run: `python -m tests.conformance.make_page`.
"""

from collections import Counter, defaultdict
from pathlib import Path

from .breaking import breaks
from .rules import Rule, all_rules, chapters, shown

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"

HEAD = """# Conformance: what is demanded, and the tests that show it

Written by `python -m tests.conformance.make_page` from the rules in `tests/conformance/rules` and
from the tests that name them (`@pytest.mark.rule`); a test fails when this page is not theirs,
when a rule has no test on one of its surfaces, and when a test names no rule.
`docs/reference/methods.md` specifies our own payment method, with vectors that are tested apart.

**On** says where a rule is shown: the hub's API, the middleware in a seller's app, the proxy before
a service; and under which server, where it is about bytes on the wire. **Broken** says in how many
ways the code was broken on purpose to see these tests fail (`tests/conformance/breaks`); every day
a few of them are drawn, and `make prove` does all.

{figures}
"""


def page() -> str:
    """Write the page."""
    tests: defaultdict[str, list[str]] = defaultdict(list)
    broken = Counter(rule for one in breaks() for rule in one.rules)
    for one in shown():
        tests[one.rule].append(one.test)
    parts = [HEAD.format(figures=_figures(len({t for some in tests.values() for t in some})))]
    for chapter in chapters():
        parts.append(f"\n## {chapter.title}\n\nSource: {chapter.source}.\n\n")
        parts.append("| rule | where | what | on | tests | broken |\n|---|---|---|---|---|---|\n")
        parts += [_row(rule, tests[rule.id], broken[rule.id]) for rule in chapter.rules if rule.on]
    parts.append(
        "\n## Not yet, or in part\n\n| rule | where | what | why not |\n|---|---|---|---|\n"
    )
    parts += [
        f"| `{rule.id}` | {rule.where} | {_cell(rule.says)} | {_cell(rule.later or rule.part)} |\n"
        for rule in all_rules()
        if not rule.on
    ]
    return "".join(parts)


def _figures(tests: int) -> str:
    rules = all_rules()
    held = sum(bool(rule.on) for rule in rules)
    return (
        f"{held} rules are held and shown by {tests} tests; the code was broken in {len(breaks())} "
        f"ways to see them fail. {len(rules) - held} rules do not apply yet, or are kept in part."
    )


def _row(rule: Rule, tests: list[str], broken: int) -> str:
    where = " ".join(part for part in (rule.where, f"({rule.level})" if rule.level else "") if part)
    says = _cell(f"{rule.says} {rule.note}".strip())
    times = str(broken) if broken else _cell(f"no: {rule.unbroken}")
    names = "<br>".join(f"`{_short(test)}`" for test in tests)
    return f"| `{rule.id}` | {where} | {says} | {', '.join(rule.surfaces)} | {names} | {times} |\n"


def _short(test: str) -> str:
    return test.removeprefix("conformance/").replace(".py::", "::")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
