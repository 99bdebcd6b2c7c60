"""Links: every one is followed when the site is built, and one that leads nowhere is a fault."""

import posixpath
from pathlib import Path, PurePosixPath

from docsite.source import Page

_OUTSIDE = ("https://", "mailto:")
_AS_IT_IS = (".json",)


class Links:
    """Where links of pages lead to. Shape: `files` are files beside the pages that are shown."""

    def __init__(self, root: Path, pages: dict[str, Page]) -> None:
        self._root, self._pages = root, pages
        self.files: set[str] = set()
        self.pictures: set[str] = set()

    def target(self, page: Page, href: str, line: int | None) -> str:
        """Give the address of a link on the page's place in the site; note it if it is broken."""
        if href.startswith(_OUTSIDE):
            return href
        path, _, anchor = href.partition("#")
        if not path:
            self._check_anchor(page, page, anchor, line)
            return href
        found, wanted = page_behind(self._pages, page, path), _joined(page, path)
        if found is not None:
            self._check_anchor(page, found, anchor, line)
            url = found.url
        elif self._is_file(wanted):
            self.files.add(wanted)
            url = file_url(wanted)
        else:
            page.fault(f"the link to {href} leads nowhere", line)
            return "#"
        return relative(page.url, url) + (f"#{anchor}" if anchor else "")

    def image(self, page: Page, source: str, line: int | None) -> Path | None:
        """Find a picture; none but SVG and PNG files of our own are shown."""
        wanted = _joined(page, source)
        if self._is_file(wanted) and wanted.endswith((".svg", ".png")):
            return self._root / wanted
        page.fault(f"there is no SVG or PNG file {source}", line)
        return None

    def screen(self, page: Page, source: str) -> str:
        """Take a PNG file along, and give where it is from a page."""
        wanted = _joined(page, source)
        self.pictures.add(wanted)
        return relative(page.url, wanted)

    def _is_file(self, path: str) -> bool:
        return not path.startswith("..") and (self._root / path).is_file()

    def _check_anchor(self, page: Page, found: Page, anchor: str, line: int | None) -> None:
        if anchor and anchor not in found.anchors:
            page.fault(f"{found.path} has no #{anchor}", line)


def page_behind(pages: dict[str, Page], page: Page, href: str) -> Page | None:
    """Give the page that a link leads to, if it is one; a folder stands for its README.md."""
    wanted = _joined(page, href.partition("#")[0])
    return pages.get(wanted) or pages.get(f"{wanted}/README.md")


def _joined(page: Page, href: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page.path), href))


def file_url(path: str) -> str:
    """Say where a file beside the pages is in the site: as it is, or shown on a page."""
    return f"files/{path}" if path.endswith(_AS_IT_IS) else f"files/{path}.html"


def is_shown(path: str) -> bool:
    """Tell whether a file is shown on a page, instead of being handed over as it is."""
    return not path.endswith(_AS_IT_IS)


def relative(start: str, url: str) -> str:
    """Write an address of the site as seen from a page of it."""
    return posixpath.relpath(url, PurePosixPath(start).parent.as_posix())
