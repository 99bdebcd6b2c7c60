"""The site in a browser, from a disk: it fits a phone, it searches, and it has a dark side."""

import html
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PHONE, TABLET, DESKTOP = 360, 700, 1280

LOOK = """<!doctype html><iframe width="{width}" height="740"></iframe><pre id="told"></pre><script>
const frame = document.querySelector("iframe"), told = {{}};
const wait = () => new Promise((done) => setTimeout(done, 50));
const at = (url) => new Promise((done) => {{ frame.onload = done; frame.src = url; }});
(async () => {{
  for (const url of {urls}) {{
    await at(url);
    const there = frame.contentDocument, view = frame.contentWindow;
    for (let i = 0; i < 60 && !({ready}); i++) await wait();
    told[url] = {looked};
  }}
  document.querySelector("#told").textContent = JSON.stringify(told);
}})();
</script>"""

Looked = Callable[..., dict[str, object]]


@pytest.fixture(scope="module")
def looked(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Looked:
    """Look at pages through a frame of some width, with an expression on `there` and `view`."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not here: make setup-system")
    home = tmp_path_factory.mktemp("browser")

    def look(
        expression: str, urls: list[str] | None = None, width: int = PHONE, ready: str = "true"
    ) -> dict[str, object]:
        every = urls or [f.relative_to(site).as_posix() for f in sorted(site.rglob("*.html"))]
        page = site / "look.html"
        page.write_text(
            LOOK.format(width=width, urls=json.dumps(every), looked=expression, ready=ready)
        )
        try:
            done = subprocess.run(
                [
                    *(
                        browser,
                        "--headless",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--dump-dom",
                        "--hide-scrollbars",
                    ),
                    *("--allow-file-access-from-files", "--disable-background-networking"),
                    *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=60000"),
                    *(f"--user-data-dir={home}", page.as_uri()),
                ],
                capture_output=True,
                text=True,
                timeout=120,
            )
        finally:
            page.unlink()
        found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
        assert found, done.stderr
        assert found[1], done.stderr
        return json.loads(html.unescape(found[1]))

    return look


def test_no_page_is_wider_than_a_phone_and_no_table_is_cut_off(looked: Looked):
    # Each page is loaded once and seen in three widths: to load them takes nearly all of the time.
    cut = f"""{[PHONE, TABLET, DESKTOP]}.map((width) => {{
        frame.width = width;
        const tables = [...there.querySelectorAll("main .table")];
        const cut = tables.filter((table) => table.scrollWidth > table.clientWidth + 1);
        return [there.documentElement.scrollWidth, cut.length, tables.length];
    }})"""
    seen: dict[str, list[list[int]]] = looked(cut)  # pyright: ignore[reportAssignmentType]
    assert len(seen) > 50
    assert {url: wide for url, [[wide, *_], *_] in seen.items() if wide != PHONE} == {}
    assert {url: told for url, told in seen.items() if any(cut for _, cut, _ in told)} == {}
    assert {wide for _, [wide, *_], _ in seen.values()} == {TABLET}, "the frame was widened"
    assert sum(tables for _, _, [_, _, tables] in seen.values()) > 50


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_of_text_can_be_read(looked: Looked, theme: str):
    colours = looked(
        f"""(() => {{
        there.documentElement.dataset.theme = "{theme}";
        const style = view.getComputedStyle(there.documentElement);
        const rgb = (name) => {{
          there.body.style.color = style.getPropertyValue(name);
          return view.getComputedStyle(there.body).color;
        }};
        return ["--ink", "--soft", "--accent", "--word", "--paper", "--sheet", "--mark"].map(rgb);
        }})()""",
        ["index.html"],
    )
    [[ink, soft, accent, word, paper, sheet, mark]] = [list(map(str, c)) for c in colours.values()]  # pyright: ignore[reportArgumentType, reportUnknownArgumentType]
    for text, ground in itertools.product((ink, soft, accent, word), (paper, sheet)):
        assert contrast(text, ground) >= 4.5
    assert contrast(ink, mark) >= 4.5


def test_a_search_finds_a_code_and_a_word_and_a_command(looked: Looked):
    first = looked(
        'there.querySelector("#found a")?.getAttribute("href")',
        [f"howto/upgrade.html?search={word}" for word in ("insufficient-funds", "mandate", "pay")],
        ready='there.querySelector("#found a")',
    )
    found = [str(href) for href in first.values()]
    assert found[0].startswith("../reference/problems.html#insufficient-funds")
    assert "mandate" in found[1]
    assert "pay" in found[2]


def test_the_theme_turns_dark_by_a_button_and_stays_readable(looked: Looked):
    [(paper, ink)] = looked(
        """(() => {
        const button = there.querySelector(".theme");
        while (there.documentElement.dataset.theme !== "dark") button.click();
        const style = view.getComputedStyle(there.body);
        return [style.backgroundColor, style.color];
        })()""",
        ["index.html"],
    ).values()
    assert contrast(str(paper), str(ink)) > 7
    assert luminance(str(paper)) < luminance(str(ink))


def luminance(colour: str) -> float:
    """Give the relative luminance of `rgb(r, g, b)`. Source: WCAG 2.2, "relative luminance"."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Give the contrast of two colours, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
