"""Writes docs/reference/conformance.md from these tests: `python -m tests.conformance.make_page`.

Each test's docstring says what it shows: `Source, place: statement.`
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "reference" / "conformance.md"
SOURCES = {
    "MPP draft": "The Payment HTTP Authentication Scheme, draft-httpauth-payment-00",
    "MPP charge": "MPP: the charge intent",
    "MPP discovery": "MPP: discovery",
    "x402 v2": "x402 v2, its HTTP transport and extensions",
    "RFC": "RFCs",
    "Idempotency-Key draft": "The Idempotency-Key HTTP header field",
    "Farthing": "Where the specifications leave room: our own rules",
}
_SHOWN = re.compile(r"(RFC \d+|[A-Z][\w-]*(?: draft| charge| discovery)?|x402 v2), (.+?): (.+)\.")

HEAD = """# Conformance: what is demanded, and the test that shows it

Written from the tests in `tests/conformance` by `python -m tests.conformance.make_page`; a test
fails when this page is not theirs. Each row is shown on a real hub and a real paywall, or on a
strict stand-in where a fault has to be arranged. `docs/reference/methods.md` specifies our method
itself, with vectors that are tested apart.

Not offered yet, and so not shown: MPP and x402 sessions (`session`, `upto`, `batch-settlement`),
JSON-RPC and MCP transports, `x-payment-info` in a seller's own OpenAPI document, and x402's
`bazaar`, `offer-and-receipt` and `sign-in-with-x` extensions. Our payment method needs an enrolled
device; a seller who wants to serve anybody offers another method beside it. Where a seller's app
authenticates its callers, that belongs in front of the paywall, so that 401 comes before 402.
"""


class Row(NamedTuple):
    """One demand and the test that shows it."""

    source: str
    place: str
    statement: str
    test: str


def rows() -> Iterator[Row]:
    """Read every test's docstring.

    Raises: ValueError for a test that does not say what it shows.
    """
    for file in sorted(FOLDER.glob("test_*.py")):
        if file.name == "test_page.py":
            continue
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
                "test_"
            ):
                shown = _SHOWN.fullmatch(" ".join((ast.get_docstring(node) or "").split()))
                if shown is None:
                    raise ValueError(f"{file.name}: {node.name} does not say what it shows")
                yield Row(shown[1], shown[2], shown[3], f"{file.stem}.{node.name}")


def page() -> str:
    """Write the page."""
    parts, found = [HEAD], list(rows())
    for source, title in SOURCES.items():
        mine = [row for row in found if row.source == source or row.source.split()[0] == source]
        if not mine:
            continue
        parts.append(f"\n## {title}\n\n| where | what | test |\n|---|---|---|\n")
        for row in mine:
            place = f"{row.source}, {row.place}" if source == "RFC" else row.place
            statement = row.statement.replace("|", "\\|")
            parts.append(f"| {place} | {statement} | `{row.test}` |\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
