"""The page of what is conformed to is the rules' and the tests' own."""

from .make_page import PAGE, page


def test_the_page_is_current():
    assert PAGE.read_text() == page(), "run: python -m tests.conformance.make_page"
