import re
from pathlib import Path

import pytest

from farthing.core.ledger import TRANSIENT, AccountFlags, AccountResult, TransferFlags
from farthing.core.ledger import TransferResult as R

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "ledger.md"
ROW = re.compile(r"\| (\d+) \| `([a-z0-9_]+)` \| (.*)\|")


def table(title: str) -> list[tuple[str, ...]]:
    section = PAGE.read_text("utf-8").split(f"## {title}")[1].split("\n## ")[0]
    return [row.groups() for row in ROW.finditer(section)]


@pytest.mark.parametrize(
    ("title", "results"),
    [("Answers to a transfer", R), ("Answers to opening an account", AccountResult)],
)
def test_the_page_lists_every_answer_with_its_number_in_order_of_precedence(title, results):
    listed = [(int(number), name) for number, name, _ in table(title)]
    assert listed == [(result.value, result.name.lower()) for result in results]


def test_the_page_marks_the_answers_that_use_an_id_up():
    marked = {R[name.upper()] for _, name, when in table("Answers to a transfer") if "†" in when}
    assert marked == TRANSIENT


def test_the_page_names_every_flag():
    text = PAGE.read_text("utf-8")
    for flag in [*AccountFlags, *TransferFlags]:
        if flag.name == "CREDITS_MUST_NOT_EXCEED_DEBITS":
            continue  # "or the reverse"
        assert f"`{flag.name}`" in text
