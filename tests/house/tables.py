"""Tables of the pages that are written from the code."""


def row(*cells: object) -> str:
    """Write one row of a table."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """Write a table."""
    return row(*head) + row(*("---",) * len(head)) + "".join(row(*cells) for cells in rows)
