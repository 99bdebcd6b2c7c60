"""What the search knows: each heading and each named row, with the words below it."""

import json
from dataclasses import dataclass, field
from itertools import pairwise

from markdown_it.token import Token

from docsite.source import Page, plain

VARIABLE = "farthingSearch"


@dataclass(slots=True)
class Section:
    """Something one can find. Shape: `url` is relative to the site, with the anchor."""

    title: str
    page: str
    url: str
    words: list[str] = field(default_factory=list[str])

    def row(self) -> list[str]:
        """Give it as the page's program reads it: title, page, address, words."""
        return [self.title, self.page, self.url, " ".join(" ".join(self.words).split())]


def sections(page: Page) -> list[Section]:
    """Cut a page at its headings, and take named rows out of them."""
    found: list[Section] = []
    row: Section | None = None
    for token, inside in pairwise([*page.tokens, page.tokens[-1]]):
        if token.type == "heading_open":
            anchor = "" if token.tag == "h1" else f"#{token.attrGet('id')}"
            found.append(Section(plain(inside), page.title, page.url + anchor))
        elif token.type == "tr_open":
            row = _row(page, token)
            if row is not None:
                found.insert(len(found) - 1, row)
        elif token.type == "tr_close":
            row = None
        elif token.type == "inline" and plain(token) != (row or found[-1]).title:
            (row or found[-1]).words.append(plain(token))
        elif token.type == "fence":
            found[-1].words.append(token.content)
    return found


def _row(page: Page, token: Token) -> Section | None:
    """Give a named row as something to find by itself."""
    term = token.meta.get("term", "")
    return Section(term, page.title, f"{page.url}#{token.attrGet('id')}") if term else None


def index(pages: list[Page]) -> str:
    """Write the index as a script, which a page can load from a disk as well."""
    rows = [section.row() for page in pages for section in sections(page)]
    return f"window.{VARIABLE} = {json.dumps(rows, ensure_ascii=False, indent=0)};\n"
