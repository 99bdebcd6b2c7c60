"""Reads a built site as a browser would: what a page names, links to and loads."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path


@dataclass
class Read(HTMLParser):
    """One page: its anchors, its links, what it loads, and the words in its main part."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names or leads to."""
        told = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if "id" in told:
            assert told["id"] not in self.ids, f"two things are called {told['id']}"
            self.ids.add(told["id"])
        if tag == "a":
            self.links.append(told["href"])
        elif "src" in told or tag == "link":
            self.loaded.append(told.get("src") or told["href"])


def read(file: Path) -> Read:
    """Read a page."""
    page = Read()
    page.feed(file.read_text())
    return page
