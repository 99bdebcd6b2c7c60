"""Methods, and header fields that ask for another path or method, or pose as payment."""

from collections.abc import Iterator

from .spelling import CLOSE, FREE, GOLD, HIDDEN, HOST, PAGE, Spelling

METHODS = [
    *b"HEAD OPTIONS TRACE CONNECT POST PUT PATCH DELETE get Get gET GETT GE G head".split(),
    *b"PROPFIND QUERY SEARCH COPY MOVE M-SEARCH PURGE BREW PRI LINK REPORT SOURCE ANNOUNCE".split(),
    *b"GET,POST (GET) GET/ G\xc4\x95T".split(),
    *(b"GET\x00", b"GET\t", b" GET", b"GET ", b""),
]
OVERRIDES = [
    *b"X-HTTP-Method-Override X-HTTP-Method X-Method-Override X_HTTP_METHOD_OVERRIDE".split(),
    *b"_method X-Forwarded-Method X-Original-Method".split(),
]
REWRITES = [
    *b"X-Original-URL X-Rewrite-URL X-Original-URI X-Rewrite-URI X-Original-Path".split(),
    *b"X-Forwarded-Prefix X-Forwarded-Path X-Forwarded-Uri X-Script-Name Script-Name".split(),
    *b"X-Envoy-Original-Path X-Matched-Path X-Invoke-Path X-Middleware-Rewrite".split(),
    *b"Request-Uri X-Request-Uri X-Waws-Unencoded-Url X-Sendfile-Type X-Accel-Mapping".split(),
]
PRETENCES = [
    *(b"Farthing-Payment-Id: pay_x", b"Farthing-Payer: dev_x", b"Farthing_Amount: 1 USD"),
    *(b"Authorization: Payment", b"Authorization: Payment e30", b"Authorization: payment x"),
    *(b"Authorization: Payment " + b"A" * 9000, b"Authorization: Bearer x", b"Authorization:"),
    *(b"PAYMENT-SIGNATURE: e30=", b"PAYMENT-SIGNATURE:", b"X-PAYMENT: e30=", b"Payment-Receipt: x"),
    *(b"Payment-Response: e30=", b"Cookie: paid=1", b"Accept-Payment: none", b"Idempotency-Key: x"),
]
CONDITIONS = [
    *(
        b"Range: bytes=0-3",
        b"Range: bytes=0-0,2-3",
        b"Range: bytes=-5",
        b"Range: x",
        b"If-Range: x",
    ),
    *(b"If-None-Match: *", b'If-None-Match: "x"', b"If-Match: *", b"If-Unmodified-Since: x"),
    *(b"If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", b"Cache-Control: only-if-cached"),
    *(b"Accept-Encoding: gzip", b"Accept: */*;q=0", b"Expect: 100-continue", b"Expect: x"),
    *(b"Max-Forwards: 0", b"TE: trailers", b"Via: 1.1 x", b"Want-Digest: sha-256", b"Prefer: x"),
    *(b"Forwarded: for=127.0.0.1;proto=https", b"X-Forwarded-Proto: https", b"X-Real-IP: ::1"),
    *(b"X-Forwarded-For: 127.0.0.1", b"X-Forwarded-Host: other", b"X-Forwarded-Port: 443"),
    *(b"X-Middleware-Subrequest: middleware", b"Purpose: prefetch", b"Sec-Purpose: prefetch"),
]
CONNECTIONS = [
    *(b"close, farthing-payer, farthing-payment-id, host", b"close, authorization", b"Host"),
    *(b"close, content-length, transfer-encoding", b"close, payment-signature", b"keep-alive"),
    *(b"close, x-forwarded-for", b"close, " + b"a," * 500, b"\x00", b"close\tx", b"upgrade"),
]
ODD_LINES = [
    *(b"X: a\r\n b", b"X : a", b" X: a", b"X\x00: a", b"X: a\x00b", b": a", b"X", b"X Y: a"),
    *(b"X: a\rY: b", b"X: a\nY: b", b"X: \xff\xfe", b"X\xc3\xa5: a", b"X:a", b"X:\ta", b"\tX: a"),
]
HOSTS = [
    *(b"", b"Host:", b"Host: ", b"Host: a, b", b"Host: a b", b"Host: a/paid", b"Host: u@a"),
    *(b"Host: a#b", b"Host: a?b", b"Host: A.EXAMPLE", b"Host: a:0", b"Host: a:99999999"),
    *(b"Host: a:b", b"Host: [::1]", b"Host: [::1", b"Host: a\x00", b"Host : a", b" Host: a"),
    *(b"HOST:a", b"Host: a.", b"Host: a\r\nHost: a", b"Host: a\r\nHost: b", b"Host: a\r\n b"),
    *(b"Host: \xe2\x80\xae", b"Host: *", b"Host: a\r\nX-Host: b", b"Host: 127.0.0.1"),
    *(b"Host: localhost", b"Host: a\rX: b", b"H\xc3\xb6st: a"),
]
ASKS = (b"Origin: https://a.example", b"Access-Control-Request-Method: GET")


def by_method() -> Iterator[Spelling]:
    """Ask by other methods, and by one method for another."""
    for method in METHODS:
        for target in (PAGE, GOLD):
            yield Spelling(f"{method!r} {target!r}", method=method, target=target)
    for name in OVERRIDES:
        for method in (b"OPTIONS", b"POST", b"HEAD", b"DELETE"):
            yield Spelling(f"{method!r} {name!r}", method=method, fields=(name + b": GET",))
        yield Spelling(f"free {name!r}", target=FREE + b"?_method=GET", fields=(name + b": GET",))
    yield Spelling("preflight", method=b"OPTIONS", fields=ASKS)
    yield Spelling("preflight of a lookalike", method=b"OPTIONS", target=b"/PAID", fields=ASKS)
    for name in OVERRIDES[:3]:
        more = (*ASKS, name + b": GET")
        yield Spelling(f"preflight {name!r}", method=b"OPTIONS", fields=more)
    form = (b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: 11")
    yield Spelling("_method in a form", method=b"POST", fields=form, body=b"_method=GET")


def by_field() -> Iterator[Spelling]:
    """Ask with fields that may mean something to somebody."""
    for name in REWRITES:
        for spelled in (name, name.replace(b"-", b"_"), name.upper()):
            for value in (PAGE, b"http://shop.example/paid", FREE):
                line = b"%b: %b" % (spelled, value)
                yield Spelling(f"free {line!r}", target=FREE, fields=(line,))
        yield Spelling(f"root {name!r}", target=b"/free/paid", fields=(name + b": /free",))
    for line in (*PRETENCES, *CONDITIONS):
        for target in (PAGE, GOLD):
            yield Spelling(f"{target!r} {line!r}", target=target, fields=(line,))
        yield Spelling(f"HEAD {line!r}", method=b"HEAD", fields=(line,))
    yield Spelling("several credentials", fields=tuple(PRETENCES[3:6]))
    for line in ODD_LINES:
        yield Spelling(f"field {line!r}", fields=(line,))
        yield Spelling(f"field first {line!r}", first=(line, HOST, CLOSE))


def by_connection() -> Iterator[Spelling]:
    """Name fields in `Connection`, ask for other protocols, send very much."""
    for value in CONNECTIONS:
        line = b"Connection: " + value
        yield Spelling(f"{line!r}", first=(HOST, line), fields=(b"Farthing-Payer: dev_x",))
    for value in b"h2c websocket WebSocket h2c,websocket TLS/1.0 HTTP/2.0 x".split():
        settings = (b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AA")
        key = (b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", b"Sec-WebSocket-Version: 13")
        first = (HOST, *settings, b"Upgrade: " + value, *key)
        for target in (PAGE, GOLD, FREE):
            yield Spelling(f"upgrade {value!r} {target!r}", target=target, first=first)
        length = b"Content-Length: %d" % len(HIDDEN)
        name = f"upgrade {value!r} with a body"
        yield Spelling(name, b"POST", FREE, (length,), HIDDEN, first=first)
    for count in (99, 101, 1001):
        yield Spelling(f"{count} fields", fields=(b"X: 1",) * count)
    for size in (9_000, 70_000, 500_000):
        yield Spelling(f"a field of {size}", fields=(b"X: " + b"x" * size,))
        yield Spelling(f"a target of {size}", target=PAGE + b"?" + b"x" * size)


def by_host() -> Iterator[Spelling]:
    """Ask with none, one, several and odd hosts."""
    for host in HOSTS:
        for target in (PAGE, GOLD, b"http://other/paid"):
            first = (host, CLOSE) if host else (CLOSE,)
            yield Spelling(f"{host!r} {target!r}", target=target, first=first)
