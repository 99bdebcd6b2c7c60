"""Building the site: read everything, follow every link, and write only what is right."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from docsite.frame import THEME, Frame
from docsite.links import Links, file_url, is_shown
from docsite.nav import Group, navigation
from docsite.render import code, render
from docsite.search import index
from docsite.source import Page, read_pages

_SEARCH = "search.js"
_THEME_FILES = ("style.css", "site.js")
_LANGUAGES = {".py": "python", ".toml": "toml", ".sh": "sh", ".yml": "yaml", ".yaml": "yaml"}


@dataclass(frozen=True, slots=True)
class Site:
    """What was built. Shape: `written` is every file, relative to the site."""

    pages: list[Page]
    groups: list[Group]
    written: dict[str, str]


def build(root: Path, out: Path) -> tuple[Site, list[str]]:
    """Build the site of a repository into a folder, which is replaced.

    Shape: the site, and what is wrong with the pages; nothing is written if anything is.
    """
    pages = read_pages(root)
    groups = navigation(pages)
    links = Links(root, pages)
    frame = Frame(groups)
    written = {page.url: frame.page(page, render(page, links)) for page in pages.values()}
    for path in sorted(links.files):
        text = (root / path).read_text()
        url = file_url(path)
        written[url] = frame.file(path, url, _shown(path, text)) if is_shown(path) else text
    written[_SEARCH] = index(list(pages.values()))
    written |= {name: (THEME / name).read_text() for name in _THEME_FILES}
    faults = [fault for page in pages.values() for fault in page.faults]
    if not faults:
        _write(out, written)
        for path in links.pictures:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, out / path)
    return Site(list(pages.values()), groups, written), faults


def _shown(path: str, text: str) -> str:
    inner = code(text, _LANGUAGES.get(Path(path).suffix, "text"))
    return f'<div class="code copied"><pre tabindex="0"><code>{inner}</code></pre></div>'


def _write(out: Path, written: dict[str, str]) -> None:
    shutil.rmtree(out, ignore_errors=True)
    for url, text in written.items():
        file = out / url
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
