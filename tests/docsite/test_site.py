"""The site of the documentation: whole, at one with itself, and in need of nothing outside."""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from docsite.build import build

from .reading import Read, read

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Read]:
    return {file: read(file) for file in site.rglob("*.html")}


def test_one_command_builds_it():
    told = (ROOT / "Makefile").read_text()
    assert re.search(r"^docs: .*\n(\t.*\n)*\t@?\$\(BIN\)/python -m docsite", told, re.MULTILINE)
    assert re.search(r"^\.PHONY:.* docs ", told, re.MULTILINE), "there is a folder of that name"


def test_every_page_is_there_and_the_navigation_leads_to_it(site: Path, pages: dict[Path, Read]):
    folder = ROOT / "docs"
    expected = {f"project/{file.stem.lower()}.html" for file in ROOT.glob("*.md")}
    for file in folder.rglob("*.md"):
        name = "index.html" if file.stem == "README" else f"{file.stem}.html"
        expected.add(file.relative_to(folder).with_name(name).as_posix())
    assert len(expected) > 50
    folders_own = pages[site / "decisions" / "index.html"].links
    led_to = {*pages[site / "index.html"].links, *(f"decisions/{link}" for link in folders_own)}
    for url in expected:
        assert site / url in pages
        assert url in led_to, f"{url} is not in the navigation"


def test_every_link_and_every_anchor_leads_somewhere(pages: dict[Path, Read]):
    followed = 0
    for file, page in pages.items():
        for link in page.links:
            if link.startswith(("https://", "mailto:")):
                continue
            path, anchor = urldefrag(unquote(link))
            to = (file.parent / path).resolve() if path else file
            assert to.is_file(), f"{file.name}: {link}"
            assert not anchor or anchor in pages[to].ids, f"{file.name}: {link}"
            followed += 1
    assert followed > 3000


def test_nothing_outside_is_loaded(site: Path, pages: dict[Path, Read]):
    for file, page in pages.items():
        assert page.loaded, file
        for source in page.loaded:
            assert (file.parent / source).is_file(), f"{file.name} loads {source}"
    style = (site / "style.css").read_text()
    assert not re.search(r"@import|url\(", style)
    assert "http" not in re.sub(r"^ *//.*", "", (site / "site.js").read_text(), flags=re.MULTILINE)


def test_every_page_can_be_read_by_a_machine_that_reads_aloud(pages: dict[Path, Read]):
    for file, page in pages.items():
        text = file.read_text()
        assert '<html lang="en">' in text
        assert 'name="viewport"' in text
        assert page.tags.count("h1") == 1, file
        assert {"main", "nav", "header"} <= set(page.tags)
        for picture in re.findall("<img [^>]*>", text):
            assert re.search('alt="[^"]{10,}"', picture), "a picture has a text"


def test_what_the_search_finds_is_there(site: Path, pages: dict[Path, Read]):
    script = (site / "search.js").read_text()
    rows = json.loads(script.removeprefix("window.farthingSearch = ").rstrip(";\n"))
    assert len(rows) > 500
    for _title, _page, url, _words in rows:
        path, anchor = urldefrag(url)
        assert not anchor or anchor in pages[site / path].ids, url
    titles = {row[0] for row in rows}
    assert {"mandate", "insufficient-funds", "farthing pay", "payment.captured"} <= titles


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        ("[gone](howto/no-such-page.md)", "no-such-page.md leads nowhere"),
        ("[gone](reference/glossary.md#no-such-word)", "no #no-such-word"),
        ("```klingon\nx\n```", "not 'klingon'"),
        ("<div>HTML</div>", "write Markdown instead"),
        ("a<b onclick=x>", "write Markdown instead"),
        ("![A picture](https://elsewhere.example/a.svg)", "there is no SVG or PNG file"),
    ],
)
def test_a_page_that_is_wrong_is_named_and_nothing_is_written(
    tmp_path: Path, planted: str, told: str
):
    copy = tmp_path / "copy"
    (copy / "docs" / "reference").mkdir(parents=True)
    (copy / "docs" / "reference" / "glossary.md").write_text("# Glossary\n\n## mandate\n")
    index = copy / "docs" / "README.md"
    index.write_text("# Index\n\n## Reference: look up\n\n[Words](reference/glossary.md#mandate)\n")
    assert build(copy, tmp_path / "out")[1] == []
    shutil.rmtree(tmp_path / "out")
    index.write_text(index.read_text() + f"\n{planted}\n")
    _, faults = build(copy, tmp_path / "out")
    [fault] = faults
    assert fault.startswith("docs/README.md")
    assert told in fault
    assert not (tmp_path / "out").exists()


def test_a_page_that_nothing_leads_to_is_a_fault(tmp_path: Path):
    copy = tmp_path / "copy"
    (copy / "docs" / "howto").mkdir(parents=True)
    (copy / "docs" / "README.md").write_text("# Index\n\n## How-tos: do\n")
    (copy / "docs" / "howto" / "lonely.md").write_text("# Lonely\n")
    _, faults = build(copy, tmp_path / "out")
    assert ["nothing leads here" in fault for fault in faults] == [True]
