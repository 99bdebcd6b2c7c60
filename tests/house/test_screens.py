"""Every page is pictured four times, and every picture stands in the documentation."""

import re
from collections import Counter
from pathlib import Path

import farthing

DOCS = Path(__file__).parents[2] / "docs"
SCREENS = Path(__file__).parents[1] / "browser"
TEMPLATES = Path(farthing.__file__).parent / "web" / "pages" / "templates"
KINDS = {f"{width}-{light}" for width in ("390", "1280") for light in ("light", "dark")}
LOOKED = re.compile(r'look\("([\w-]+)"\)|yield "([\w-]+)", |\("([\w-]+)", f?"/')
"""How the tests that look at pages name them."""


def pictures() -> dict[str, set[str]]:
    """Give the kinds of picture that there are of each page."""
    found = dict[str, set[str]]()
    for file in (DOCS / "screens").glob("*.png"):
        name, width, light = file.stem.rsplit("-", 2)
        found.setdefault(name, set()).add(f"{width}-{light}")
    return found


def test_every_page_that_tests_look_at_is_pictured_for_phone_and_desktop_by_day_and_by_night():
    text = (SCREENS / "test_screens.py").read_text()
    looked = {name for names in LOOKED.findall(text) for name in names if name}
    assert len(looked) > 35
    assert {name: kinds for name, kinds in pictures().items() if kinds != KINDS} == {}
    assert looked | {"sign-in", "join", "offline"} == set(pictures())


def test_every_page_that_there_is_has_a_picture_of_its_name():
    pages = {
        file.stem.replace("_", "-")
        for file in TEMPLATES.glob("*.html")
        if '{% extends "base.html" %}' in file.read_text()
    }
    assert len(pages) > 30
    assert pages - set(pictures()) == set()


def test_every_picture_stands_in_the_documentation_and_says_what_it_shows():
    shown = Counter[str]()
    for page in DOCS.rglob("*.md"):
        for told, picture in re.findall(
            r"!\[([^\]]*)\]\([./]*screens/([\w-]+\.png)\)", page.read_text()
        ):
            assert told.strip(), (page, picture)
            shown[picture] += 1
    assert {file.name for file in (DOCS / "screens").iterdir()} == set(shown)
