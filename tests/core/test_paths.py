"""A path has one spelling, or is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.core.paths import AmbiguousPath, normal_path, normal_query
from farthing.errors import Malformed


@pytest.mark.parametrize(
    ("raw", "text", "written"),
    [
        (b"/", "/", "/"),
        (b"/a/b", "/a/b", "/a/b"),
        (b"/a/", "/a/", "/a/"),
        (b"/%61", "/a", "/a"),
        (b"/a%20b", "/a b", "/a%20b"),
        (b"/%c3%a5", "/å", "/%C3%A5"),
        (b"/a@b:c,d=e+f", "/a@b:c,d=e+f", "/a@b:c,d=e+f"),
        (b"/%40", "/@", "/@"),
        (b"/100%25", "/100%", "/100%25"),
        (b"/...", "/...", "/..."),
        (b"/%7Bid%7D", "/{id}", "/%7Bid%7D"),
    ],
)
def test_a_plain_path_is_written_in_its_one_spelling(raw, text, written):
    path = normal_path(raw)
    assert (path.text, path.raw) == (text, written)


@pytest.mark.parametrize(
    "raw",
    [
        *(
            b"",
            b"a",
            b"*",
            b"http://a/",
            b"//",
            b"//a",
            b"/a//b",
            b"/a//",
            b"/.",
            b"/..",
            b"/a/../b",
        ),
        *(b"/%2e", b"/%2E%2e/a", b"/.%2e", b"/a%2fb", b"/a%2Fb", b"/a%5cb", b"/a\\b", b"/a;b"),
        *(b"/a%3Bb", b"/a%00", b"/\x00", b"/a%1f", b"/a%7f", b"/a b", b"/%C2%85", b"/%", b"/%6"),
        *(
            b"/%zz",
            b"/%\xff",
            b"/\xc3\xa5",
            b"/%c0%ae",
            b"/%ff",
            b"/%ed%a0%80",
            b"/%252e",
            b"/%25%32%66",
        ),
        *(b"/a?b", b"/a#b", b"/" + b"a" * 5000),
    ],
)
def test_a_path_that_could_be_read_in_two_ways_is_refused(raw):
    with pytest.raises(AmbiguousPath):
        normal_path(raw)


@given(st.binary(max_size=40).map(lambda tail: b"/" + tail))
def test_what_is_accepted_reads_back_as_itself(raw):
    try:
        path = normal_path(raw)
    except AmbiguousPath:
        return
    again = normal_path(path.raw.encode("ascii"))
    assert again == path
    assert not {".", ".."} & set(path.segments) and "" not in path.segments[:-1]


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), min_size=1))
def test_no_segment_can_hide_a_slash(segments):
    from urllib.parse import quote

    raw = "/" + "/".join(quote(segment, safe="") for segment in segments)
    try:
        path = normal_path(raw.encode())
    except AmbiguousPath:
        return
    assert path.segments == tuple(segments)


def test_a_query_is_printable_ascii_and_left_as_it_is():
    assert normal_query(b"a=%2e%2E/../&b=|{}") == "a=%2e%2E/../&b=|{}"
    for bad in (b"a b", b"a\x00", b"\xc3", b"#", b"a" * 9000):
        with pytest.raises(Malformed):
            normal_query(bad)
