"""What the style sheet keeps to: one grid, one radius, two sizes of heading, one accent."""

import re
from pathlib import Path

import farthing

SHEET = Path(farthing.__file__).parent / "web" / "pages" / "static" / "app.css"
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
SPACE = re.compile(r"(?:margin|padding|gap)[\w-]*: ([^;]+)")
HALF, HAIRLINES = 4, {0, 1, 2, 3}
ACTED_ON = re.compile(
    r":root|(^|[\s,])a($|[\s,.:\[])|button|:hover|:focus-visible|aria-current|summary|input"
)
"""What may have the accent: links, buttons, fields, what is pointed at, and where one is."""


def rules() -> list[tuple[str, str]]:
    """Read the sheet: what each rule is for, and what it says."""
    text = re.sub(r"/\*.*?\*/", "", SHEET.read_text(), flags=re.DOTALL)
    return [(names.strip(), said) for names, said in RULE.findall(text)]


def test_space_stands_on_the_grid():
    assert len(rules()) > 150
    odd = {
        (names, space)
        for names, said in rules()
        for space in SPACE.findall(said)
        for number in re.findall(r"(?<![\w.])-?(\d+)px", space)
        if int(number) % 8 and int(number) != HALF and int(number) not in HAIRLINES
    }
    assert odd == set()


def test_there_is_one_radius_and_letters_follow_the_readers_size():
    radii = {
        (names, told)
        for names, said in rules()
        for told in re.findall(r"border-radius: ([^;]+)", said)
        if told.strip() != "var(--round)"
    }
    assert radii == {(".left", "2px")}  # A line of three pixels.
    fixed = {names for names, said in rules() if re.search(r"font(-size)?: [^;]*\dpx", said)}
    assert {names for names in fixed if "svg" not in names} <= {
        ".graph",
        ".chart text",
        ".graph .word",
    }


def test_headings_have_two_sizes():
    heads = {
        names: size
        for names, said in rules()
        for size in re.findall(r"font-size: ([^;]+)", said)
        if re.search(r"(^|[\s,])(h[1-6]|legend)($|[\s,])", names)
    }
    assert sorted(set(heads.values())) == ["1.125rem", "1.75rem", "1rem"]
    labels = {names for names, size in heads.items() if size == "1rem"}
    assert labels == {"h3", ".marks legend", ".wish legend"}  # As large as what they stand over.


def test_the_accent_is_for_what_can_be_acted_on_alone():
    accented = {names for names, said in rules() if "var(--copper)" in said}
    assert len(accented) > 10
    assert {names for names in accented if not ACTED_ON.search(names)} == set()
