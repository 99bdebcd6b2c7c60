"""The page of what is conformed to is these tests' own."""

from .make_page import PAGE, SOURCES, page, rows


def test_the_page_is_current():
    assert PAGE.read_text() == page(), "run: python -m tests.conformance.make_page"


def test_every_test_stands_on_the_page_once():
    written = page()
    for row in rows():
        assert row.source in SOURCES or row.source.startswith("RFC ")
        assert written.count(f"`{row.test}`") == 1
