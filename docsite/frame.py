"""The frame around every page: title, navigation, contents, what comes before and after."""

import html
from pathlib import Path
from string import Template

from docsite.links import relative
from docsite.nav import Entry, Group, flat
from docsite.source import INDEX, Heading, Page, url_of

THEME = Path(__file__).with_name("theme")
_CONTENTS_MIN = 3
_HOME = url_of(INDEX)


class Frame:
    """Puts content into the frame; every address in it is relative to the page."""

    def __init__(self, groups: list[Group]) -> None:
        self._groups = groups
        self._order = [entry.page for entry in flat(groups)]
        self._template = Template((THEME / "page.html").read_text())

    def page(self, page: Page, content: str) -> str:
        """Frame a page of the documentation."""
        return self._framed(page.url, page.title, content, page.headings, self._around(page))

    def file(self, path: str, url: str, content: str) -> str:
        """Frame a file that is shown as it is."""
        told = f"<h1>{html.escape(path)}</h1>\n{content}"
        return self._framed(url, path, told, [], "")

    def _framed(
        self, url: str, title: str, content: str, headings: list[Heading], around: str
    ) -> str:
        base = relative(url, _HOME).removesuffix(_HOME)
        return self._template.substitute(
            title=html.escape(title),
            base=base,
            home=relative(url, _HOME),
            navigation="\n".join(self._group(group, url) for group in self._groups),
            content=content,
            contents=_contents(headings),
            around=around,
        )

    def _group(self, group: Group, url: str) -> str:
        items = "\n".join(self._item(entry, url) for entry in group.entries)
        return f"<h2>{html.escape(group.name)}</h2>\n<ul>\n{items}\n</ul>"

    def _item(self, entry: Entry, url: str) -> str:
        inner = ""
        if entry.below and url in {entry.page.url, *(one.page.url for one in entry.below)}:
            items = "\n".join(self._item(one, url) for one in entry.below)
            inner = f"\n<ul>\n{items}\n</ul>\n"
        return f"<li>{_link(entry.title, entry.page.url, url)}{inner}</li>"

    def _around(self, page: Page) -> str:
        if page not in self._order:
            return ""
        place = self._order.index(page)
        before = self._order[place - 1] if place else None
        after = self._order[place + 1] if place + 1 < len(self._order) else None
        told = [
            f'<a class="{way}" href="{relative(page.url, one.url)}"><span>{word}</span> '
            f"{html.escape(one.title)}</a>"
            for way, word, one in (("before", "before", before), ("after", "next", after))
            if one is not None
        ]
        return f'<nav class="around" aria-label="before and after">{"".join(told)}</nav>'


def _link(title: str, to: str, url: str) -> str:
    here = ' aria-current="page"' if to == url else ""
    return f'<a href="{relative(url, to)}"{here}>{html.escape(title)}</a>'


def _contents(headings: list[Heading]) -> str:
    """List the sections of a page, where there are enough of them."""
    second = [heading for heading in headings if heading.level == 2]
    if len(second) < _CONTENTS_MIN:
        return ""
    items = "\n".join(f'<li><a href="#{h.anchor}">{html.escape(h.text)}</a></li>' for h in second)
    return f'<nav class="contents" aria-label="on this page"><ul>\n{items}\n</ul></nav>'
