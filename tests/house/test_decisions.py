"""Decision records: each has a number of its own, and stands in the list under its own title."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
_LISTED = re.compile(r"^\| \[(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\) \|", re.MULTILINE)


def test_every_decision_is_listed_once_in_the_order_of_its_number():
    files = sorted(path.name for path in FOLDER.glob("0*.md"))
    listed = _LISTED.findall((FOLDER / "README.md").read_text())
    assert [name for _, name in listed] == files
    assert [number for number, _ in listed] == [f"{i:04}" for i in range(1, len(files) + 1)]


def test_every_decision_says_its_number():
    for path in FOLDER.glob("0*.md"):
        assert path.read_text().startswith(f"# {path.name[:4]}: ")
