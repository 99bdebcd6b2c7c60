"""Requests whose end two parsers see in two places, with a priced one behind."""

from collections.abc import Iterator

from .spelling import CLOSE, FREE, GOLD, HIDDEN, HOST, PAGE, Spelling

CODINGS = [
    *(b"chunked", b"Chunked", b"chunked ", b"\tchunked", b"\x0bchunked", b"chunked\x00"),
    *(b'"chunked"', b"xchunked", b"chunked, identity", b"identity, chunked", b"gzip, chunked"),
    *(b"chunked, chunked", b"chunked;q=1", b"identity", b"", b"cow", b",chunked", b"chunked,"),
    *(b"chunked\r\n ", b"CHUNKED", b"identity\r\nTransfer-Encoding: chunked", b"x\rchunked"),
    *(b"chunked\r\nTransfer-Encoding: identity", b"chunked\r\nTransfer-Encoding: chunked"),
]
LENGTHS = [
    *(b"0", b"+0", b"-1", b"0x0", b"00", b"0, 0", b"0,50", b"1e1", b"50 ", b" 50", b"5 0"),
    *(b"\x0b0", b"99999999999999999999", b"18446744073709551616", b"0\r\nContent-Length: 50"),
    *(b"50\r\nContent-Length: 0", b"0\r\nContent-Length: 0", b"", b"0\x00", b"\xd9\xa0", b"0_0"),
    *(b"0;x", b"0\r\n 50"),
]
CHUNKS = [
    *(b"0\r\n\r\n", b"0\n\n", b"0\r\n\n", b"0\r\r\n", b"0;x\r\n\r\n", b"0;\r\n\r\n", b"0 \r\n\r\n"),
    *(b"00000000\r\n\r\n", b"0x0\r\n\r\n", b"+0\r\n\r\n", b"-0\r\n\r\n", b'0;x="\n\r\n\r\n'),
    *(b"0\x00\r\n\r\n", b"0\r\nX-Late: 1\r\n\r\n", b"0\r\nHost: b\r\n\r\n", b"g\r\n\r\n"),
    *(b"0\r\nAuthorization: Payment e30\r\n\r\n", b"0\r\nFarthing-Payer: dev_x\r\n\r\n"),
    *(b"0\r\nX-Original-URL: /paid\r\n\r\n", b"0\r\n X: y\r\n\r\n", b"\r\n0\r\n\r\n"),
    *(b"0\r\nContent-Length: 50\r\n\r\n", b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    *(b"1\r\nab\r\n0\r\n\r\n", b"2\r\na\r\n0\r\n\r\n", b"1\na\r\n0\r\n\r\n", b"1;\na\r\n0\r\n\r\n"),
    *(b"ffffffffffffffff\r\na", b"10000000000000000\r\na", b"1\r\na0\r\n\r\n"),
]
VERSIONS = [
    b"HTTP/1.0",
    b"HTTP/0.9",
    b"HTTP/2.0",
    b"HTTP/1.2",
    b"http/1.1",
    b"HTTP/1.1 ",
    b"HTTP/11",
]
CHUNKED = b"Transfer-Encoding: chunked"


def by_length() -> Iterator[Spelling]:
    """Say twice, oddly, or not at all how long a body is."""
    for method in (b"POST", b"GET"):
        for coding in CODINGS:
            te = b"Transfer-Encoding: " + coding
            tail = b"0\r\n\r\n" + HIDDEN
            yield Spelling(f"{method!r} {te!r}", method, FREE, (te,), tail, first=(HOST,))
            for length in (5, 5 + len(HIDDEN)):
                both = (te, b"Content-Length: %d" % length)
                name = f"{method!r} {both!r}"
                yield Spelling(name, method, FREE, both, tail, first=(HOST,))
                yield Spelling(name + " turned", method, FREE, both[::-1], tail, first=(HOST,))
        for told in LENGTHS:
            line = b"Content-Length: " + told
            yield Spelling(f"{method!r} {line!r}", method, FREE, (line,), HIDDEN, first=(HOST,))
        whole = b"Content-Length: %d" % len(HIDDEN)
        for more in (
            b"X: y",
            b"Expect: 100-continue",
            b"Expect: 200-ok",
            b"Content-Encoding: gzip",
        ):
            name = f"{method!r} hidden in a body, {more!r}"
            yield Spelling(name, method, FREE, (whole, more), HIDDEN, first=(HOST,))


def by_chunk() -> Iterator[Spelling]:
    """End a body by odd chunks and trailers, under odd versions."""
    for chunk in CHUNKS:
        yield Spelling(f"{chunk!r}", b"POST", FREE, (CHUNKED,), chunk + HIDDEN, first=(HOST,))
        yield Spelling(f"paid {chunk!r}", b"GET", PAGE, (CHUNKED,), chunk, first=(HOST, CLOSE))
    for line in (b"Transfer-Encoding : chunked", b"Transfer_Encoding: chunked"):
        yield Spelling(f"{line!r}", b"POST", FREE, (line,), b"0\r\n\r\n" + HIDDEN, first=(HOST,))
    for version in VERSIONS:
        tail = b"0\r\n\r\n" + HIDDEN
        yield Spelling(f"chunks in {version!r}", b"POST", FREE, (CHUNKED,), tail, version)
        for target in (PAGE, GOLD):
            yield Spelling(f"{version!r} {target!r}", target=target, version=version)
            yield Spelling(
                f"{version!r} {target!r} alone", target=target, version=version, first=()
            )


def as_bytes() -> Iterator[Spelling]:
    """Send what is hardly a request at all."""
    whole = b"GET /paid HTTP/1.1\r\n%b\r\n%b\r\n\r\n" % (HOST, CLOSE)
    free = b"GET /free HTTP/1.1\r\n%b\r\n\r\n" % HOST
    post = b"POST /free HTTP/1.1\r\n%b\r\nContent-Length: 9\r\n\r\n" % HOST
    query = b"GET /free?x=%%0d%%0aGET%%20/paid HTTP/1.1\r\n%b\r\n%b\r\n\r\n" % (HOST, CLOSE)
    connect = b"CONNECT shop.example:80 HTTP/1.1\r\n%b\r\n\r\n" % HOST
    frames = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    for name, parts in {
        "plain": [whole],
        "pipelined": [free + whole],
        "pipelined apart": [free, whole],
        "byte by byte": [*(whole[i : i + 1] for i in range(24)), whole[24:]],
        "old": [b"GET /paid\r\n\r\n"],
        "older": [b"GET /paid\r\n"],
        "old with a field": [b"GET /paid\r\nHost: a\r\n\r\n"],
        "bare LF": [whole.replace(b"\r\n", b"\n")],
        "bare CR": [whole.replace(b"\r\n", b"\r")],
        "LF CR": [whole.replace(b"\r\n", b"\n\r")],
        "bare LF in one line": [whole.replace(b"\r\n", b"\n", 1)],
        "CR CR LF": [whole.replace(b"\r\n", b"\r\r\n", 1)],
        "empty lines first": [b"\r\n\r\n" + whole],
        "a space first": [b" " + whole],
        "NUL first": [b"\x00" + whole],
        "a mark first": [b"\xef\xbb\xbf" + whole],
        "two spaces": [whole.replace(b" /", b"  /", 1)],
        "a space behind": [whole.replace(b" HTTP", b"  HTTP", 1)],
        "tabs": [whole.replace(b" /", b"\t/", 1).replace(b" HTTP", b"\tHTTP", 1)],
        "no version": [whole.replace(b" HTTP/1.1", b"")],
        "two versions": [whole.replace(b"HTTP/1.1", b"HTTP/1.1 HTTP/1.1")],
        "HTTP/2": [frames],
        "TLS": [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100)],
        "PROXY": [b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + whole],
        "PROXY in bytes": [b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + whole],
        "an answer": [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + whole],
        "half": [whole[:30]],
        "garbage behind": [free + b"\x00\x00\x00" + whole],
        "UTF-16": [whole.decode().encode("utf-16")],
        "a field before the line": [HOST + b"\r\n" + whole],
        "a head in a query": [query],
        "CONNECT and on": [connect, whole],
        "CONNECT a path": [b"CONNECT /free HTTP/1.1\r\n%b\r\n\r\n" % HOST + whole],
        "HEAD and GET": [free.replace(b"GET", b"HEAD") + whole],
        "a body and on": [post, whole[:9], whole],
    }.items():
        yield Spelling(name, raw=tuple(parts))
