"""Whatever bytes come, each parser gives a value or says no with an error of ours, and soon."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.errors import FarthingError
from farthing.web.app import all_endpoints
from tests.effort import examples

from .corpus import kept
from .parser import Parser
from .parsers import PARSERS

SECONDS_MAX = 2.0
HARD = (
    b"",
    b"\x00",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"9" * 100_000,
    b'{"amount": "' + b"9" * 100_000 + b'"}',
    b'{"a": 1, "a": 2}',
    b'{"a": 1e999999}',
    b'{"a": -0}',
    b'{"a": NaN}',
    b'{"\\u0000": "\\ud800"}',
    b"\xff\xfe\xfd",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    "١٢٣ USD".encode(),
    "\uff10.\uff11 USD".encode(),
    "1\u00a0USD".encode(),
    "\u202e5 DSU".encode(),
    b" 1 ",
    b"+1",
    b"1_000",
    b"0x10",
    b"1e3",
    b"%00%ff%2e%2E",
    b"a" * 100_000,
    b'"' * 50_000,
    b"," * 50_000,
    b"\\" * 50_000,
    b"=;" * 30_000,
    b"Payment " * 20_000,
    b"\r\n\r\n",
    b"@a\x00:",
)
SAME_BODY = ("x402_settle",)
"""Endpoints whose body is that of another: `/settle` takes what `/verify` takes."""

NAMES = [parser.name for parser in PARSERS]
TOKENS = st.sampled_from([b'"', b"\\", b",", b"=", b"%", b"{", b"}", b"[", b":", b"\x00", b"\xff"])


def tried(parser: Parser, raw: bytes) -> object:
    """Let a parser read; anything but an error of ours comes out as it is."""
    try:
        return parser.read(raw)
    except FarthingError as error:
        assert error.status != 500 or error.title, error
        return None


@st.composite
def broken(draw: st.DrawFn, sample: bytes) -> bytes:
    """A sample with a few bytes cut out, put in, doubled or changed."""
    raw = bytearray(sample)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        until = draw(st.integers(at, min(len(raw), at + 8)))
        put = draw(st.binary(max_size=4) | TOKENS | st.just(bytes(raw[at:until]) * 2))
        raw[at:until] = put
    return bytes(raw)


def test_every_parser_has_a_name_of_its_own():
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("parser", PARSERS, ids=NAMES)
def test_every_sample_is_read(parser: Parser):
    for sample in parser.samples:
        parser.read(sample)


def test_every_request_body_has_a_parser_here():
    asked = {
        endpoint.name if endpoint.takes else endpoint.body.__name__
        for endpoint in all_endpoints()
        if endpoint.takes or endpoint.body is not None
    }
    assert asked <= {*NAMES, *SAME_BODY}


@pytest.mark.rule("asvs.1.5.2", on="hub middleware proxy")
@pytest.mark.parametrize("parser", PARSERS, ids=NAMES)
def test_hard_bytes_are_read_or_refused_in_bounded_time(parser: Parser):
    for raw in HARD:
        began = time.process_time()
        tried(parser, raw)
        assert time.process_time() - began < SECONDS_MAX, raw[:20]


@pytest.mark.parametrize("parser", PARSERS, ids=NAMES)
def test_random_and_broken_bytes_are_read_or_refused(parser: Parser):
    good = st.sampled_from(parser.samples or (b"",))

    @settings(max_examples=examples(60), deadline=None)
    @given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode) | good.flatmap(broken))
    def run(raw: bytes) -> None:
        tried(parser, raw)

    run()


@pytest.mark.parametrize("parser", PARSERS, ids=NAMES)
def test_the_kept_corpus_is_read_or_refused(parser: Parser):
    assert kept(parser.name), "run: make fuzz ARGS=--keep"
    for raw in kept(parser.name):
        tried(parser, raw)
