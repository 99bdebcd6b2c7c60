"""The navigation: the index page's lists, and the pages of a folder below that folder's own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath

from markdown_it.token import Token

from docsite.links import page_behind
from docsite.source import INDEX, Page, plain


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation, with the pages below it."""

    title: str
    page: Page
    below: list["Entry"] = field(default_factory=list["Entry"])


@dataclass(frozen=True, slots=True)
class Group:
    """A section of the index. Shape: `name` is its heading up to a colon."""

    name: str
    entries: list[Entry]


def navigation(pages: dict[str, Page]) -> list[Group]:
    """Read the navigation from the index; a page that it leads to nowhere is a fault."""
    index, groups = pages[INDEX], list[Group]()
    for i, token in enumerate(index.tokens):
        if token.type == "heading_open" and token.tag == "h2":
            groups.append(Group(plain(index.tokens[i + 1]).partition(":")[0], []))
        elif token.type == "inline" and groups:
            groups[-1].entries.extend(_entries(index, [token], pages))
    reached = {entry.page.path for entry in flat(groups)} | {INDEX}
    for path, page in pages.items():
        if path not in reached:
            page.fault(f"nothing leads here: name it in {INDEX}, or its folder's README.md")
    return [group for group in groups if group.entries]


def flat(groups: list[Group]) -> Iterator[Entry]:
    """Walk through all entries, in the order in which one reads."""
    for group in groups:
        for entry in group.entries:
            yield entry
            yield from entry.below


def _entries(page: Page, inlines: Iterable[Token], pages: dict[str, Page]) -> Iterator[Entry]:
    for inline in inlines:
        parts = inline.children or []
        for part, words in pairwise(parts):
            if part.type != "link_open":
                continue
            found = page_behind(pages, page, str(part.attrGet("href")))
            if found is not None and found is not page:
                yield Entry(words.content, found, _below(found, pages))


def _below(page: Page, pages: dict[str, Page]) -> list[Entry]:
    """Give the pages that a folder's own page lists, if it is one."""
    path = PurePosixPath(page.path)
    if path.name != "README.md" or len(path.parts) < 3:
        return []
    own = {name: one for name, one in pages.items() if PurePosixPath(name).parent == path.parent}
    inlines = [token for token in page.tokens if token.type == "inline"]
    return [Entry(entry.page.title, entry.page) for entry in _entries(page, inlines, own)]
