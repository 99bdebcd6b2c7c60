"""What pages say, in every language alike; and how figures are written."""

import re

import pytest

from farthing.core.refusals import Refusal
from farthing.money import Asset
from farthing.web.pages.figures import Figures
from farthing.web.pages.render import Renderer
from farthing.web.pages.words import chosen, languages, words

ASSETS = {"USD": Asset("USD", 6), "JPY": Asset("JPY", 0), "KWH": Asset("KWH", 3)}
PARTS = re.compile(r"\{(\w+)\}")


def test_there_are_two_languages():
    assert languages() == ("de", "en")


@pytest.mark.parametrize("language", languages())
def test_a_language_says_all_that_english_says_with_the_same_parts(language: str):
    theirs, ours = words(language), words("en")
    assert set(theirs) == set(ours)
    for name, text in theirs.items():
        assert text.strip(), name
        assert sorted(PARTS.findall(text)) == sorted(PARTS.findall(ours[name])), name


def test_every_reason_of_a_refusal_is_told():
    told = {name.removeprefix("reason.") for name in words("en") if name.startswith("reason.")}
    left = {code.value for code in Refusal if "session" in code.value}
    assert told == {code.value for code in Refusal} - left


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"), ("de", "de"), ("de-AT,en;q=0.5", "de"), ("en-GB,de;q=0.9", "en"),
        ("fr, de;q=0.8, en;q=0.2", "de"), ("de;q=0", "en"), ("de;q=x", "en"), ("*", "en"),
        ("," * 500, "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_a_browser_likes_best(accepted: str, language: str):
    assert chosen(accepted) == language


@pytest.mark.parametrize(
    ("language", "units", "code", "text"),
    [
        ("en", 1500, "USD", "$0.0015"), ("en", 4_200_000, "USD", "$4.20"),
        ("en", 1, "USD", "$0.000001"), ("en", 1_234_567_000_000, "USD", "$1,234,567.00"),
        ("de", 4_200_000, "USD", "4,20\u202f$"), ("de", 1_234_000_000, "USD", "1.234,00\u202f$"),
        ("en", 5, "JPY", "5\u202fJPY"), ("en", 1500, "KWH", "1.50\u202fKWH"),
        ("en", -4_200_000, "USD", "\u2212$4.20"), ("en", 0, "USD", "$0.00"),
        ("en", 7, "XYZ", "7\u202fXYZ"),
    ],
)  # fmt: skip
def test_an_amount_is_written_whole_and_never_rounded(
    language: str, units: int, code: str, text: str
):
    figures = Figures(language, ASSETS)
    assert figures.text(units, code) == text
    assert re.sub("<[^>]+>", "", figures.markup(units, code)) == text


def test_the_noughts_before_a_small_amount_step_back():
    small = Figures("en", ASSETS).markup(1500, "USD")
    assert '0</span><span class="part"><span class="noughts">.00</span>15<' in small
    large = Figures("en", ASSETS).markup(4_200_000, "USD")
    assert '4<span class="part"><span class="minor">.20</span></span>' in large


@pytest.mark.parametrize(
    ("language", "units", "code", "places", "part", "unit"),
    [
        ("en", 1500, "USD", 4, ".0015", "$"), ("de", 4_200_000, "USD", 2, ",20", "\u202f$"),
        ("en", 1, "USD", 6, ".000001", "$"), ("en", 5, "JPY", 0, "", "\u202fJPY"),
    ],
)  # fmt: skip
def test_an_amount_says_how_long_the_part_after_its_point_is_and_sets_its_unit_apart(
    language: str, units: int, code: str, places: int, part: str, unit: str
):
    written = Figures(language, ASSETS).markup(units, code, "+")
    assert re.match(rf'<span class="amount p{places}( long)?">\+', written)
    assert f'<span class="unit">{unit}</span>' in written
    after = re.sub(r"<[^>]+>", "", written.partition('<span class="part">')[2])
    assert after.removesuffix(unit) == part


def test_a_name_that_runs_from_right_to_left_is_set_apart_and_no_other():
    renderer = Renderer("en", ASSETS)
    name = "\u05d0\u05d1 7"
    said = renderer.say("who.out", device=name, payee="<Gauges>")
    assert said == f"\u2068{name}\u2069 → &lt;Gauges&gt;"
