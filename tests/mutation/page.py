"""`make safety-page`: write the mutation score into docs/explanation/safety.md."""

from tests.mutation.groups import ROOT
from tests.mutation.score import read_results, report

PAGE = ROOT / "docs" / "explanation" / "safety.md"
BEGINS, ENDS = "<!-- results: mutation -->", "<!-- end of mutation -->"


def placed(page: str, text: str) -> str:
    """Put the table in its place on the page."""
    before, _, rest = page.partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    return f"{before}{BEGINS}\n\n{text}\n\n{ENDS}{after}"


def main() -> None:
    """Write the page."""
    PAGE.write_text(placed(PAGE.read_text(), report(read_results())))


if __name__ == "__main__":
    main()
