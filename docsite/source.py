"""Pages as they are written: Markdown files, their headings, and the names one can link to."""

import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath

from markdown_it import MarkdownIt
from markdown_it.token import Token

INDEX = "docs/README.md"
NAMED = frozenset({"code", "key", "kind", "metric", "request", "setting", "word"})
"""First columns whose cells are names that people look for: a row of theirs can be linked to."""

_BREAKS = ("softbreak", "hardbreak", "html_inline")
_NO_LETTER = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading. Shape: `level` is 1 to 6; `anchor` is what a link to it names."""

    level: int
    text: str
    anchor: str


@dataclass(slots=True)
class Page:
    """One Markdown file.

    Shape: `path` is relative to the repository, `url` to the site; `faults` is what is wrong.
    """

    path: str
    url: str
    tokens: list[Token]
    headings: list[Heading] = field(default_factory=list[Heading])
    anchors: set[str] = field(default_factory=set[str])
    faults: list[str] = field(default_factory=list[str])

    @property
    def title(self) -> str:
        """Give the first heading."""
        return self.headings[0].text if self.headings else self.path

    def fault(self, what: str, line: int | None = None) -> None:
        """Note what is wrong with the page."""
        place = f"{self.path}:{line + 1}" if line is not None else self.path
        self.faults.append(f"{place}: {what}")


def parser() -> MarkdownIt:
    """Give a parser of what the pages are written in: CommonMark with tables."""
    return MarkdownIt("commonmark").enable("table")


def read_pages(root: Path) -> dict[str, Page]:
    """Read every page of a repository, by path."""
    files = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    paths = sorted(file.relative_to(root).as_posix() for file in files)
    return {path: read_page(path, (root / path).read_text()) for path in paths}


def read_page(path: str, text: str) -> Page:
    """Read one page, and name its headings and the rows of its tables."""
    page = Page(path, url_of(path), parser().parse(text))
    for token, inside in pairwise(page.tokens):
        if token.type == "heading_open":
            words = plain(inside)
            heading = Heading(int(token.tag[1]), words, _unused(slug(words), page.anchors))
            token.attrSet("id", heading.anchor)
            page.headings.append(heading)
            page.anchors.add(heading.anchor)
    _name_rows(page)
    if not page.headings or [h.level for h in page.headings].count(1) != 1:
        page.fault("a page has one first-level heading, its title")
    return page


def _name_rows(page: Page) -> None:
    """Let a row that begins with a term or a code be linked to by it."""
    head = ""
    for i, token in enumerate(page.tokens):
        if token.type != "tr_open":
            continue
        if page.tokens[i + 1].type == "th_open":
            head = plain(page.tokens[i + 2])
        term = _term(page.tokens[i + 2]) if head in NAMED else ""
        if term and slug(term) not in page.anchors:
            token.attrSet("id", slug(term))
            token.meta["term"] = term
            page.anchors.add(slug(term))


def _term(cell: Token) -> str:
    """Give what a cell defines: a code or a strong word at its beginning, and nothing before it."""
    parts = [part for part in cell.children or [] if part.type != "text" or part.content]
    if parts and parts[0].type == "code_inline":
        return parts[0].content
    if len(parts) > 1 and parts[0].type == "strong_open":
        return parts[1].content
    return ""


def url_of(path: str) -> str:
    """Say where a page is in the site."""
    pure = PurePosixPath(path)
    if pure.parts[0] != "docs":
        return f"project/{pure.stem.lower()}.html"
    inner = pure.relative_to("docs")
    name = "index" if pure.stem == "README" else pure.stem
    return inner.with_name(f"{name}.html").as_posix()


def plain(inline: Token) -> str:
    """Give the words of an inline token, without what marks them up."""
    words = [
        " " if part.type in _BREAKS else part.content
        for part in inline.children or []
        if part.type != "html_inline" or part.content == "<br>"
    ]
    return "".join(words).strip()


def slug(text: str) -> str:
    """Name a heading as GitHub does, so that a link to it works there and here."""
    return _NO_LETTER.sub("", text.strip().lower()).replace(" ", "-")


def _unused(name: str, taken: set[str]) -> str:
    number, found = 0, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
