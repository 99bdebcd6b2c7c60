"""Every parser of what comes from outside, in one table: bytes in, a value or our own error out.

A new parser is one line here; it is then tried with random bytes, with broken copies of its
samples, with the kept corpus, and by `make fuzz`.
"""

import asyncio
import json
from typing import Any

from farthing import codec, ids, keys
from farthing.clock import parse_time
from farthing.core import heads, identity, orders, paths, periods, prices, receipts
from farthing.device.pay_request import read_request as read_pay_request
from farthing.money import Asset, parse_price, parse_units
from farthing.protocols import client, fields, message_signatures, mpp, preferences, x402
from farthing.web.api import lists, reading, signed_request, streams
from farthing.web.api.endpoint import Call
from farthing.web.incoming import read_request
from farthing.web.price_file import read_prices
from farthing.web.trust import Trust
from tests.core.test_receipts import ROOT, make
from tests.protocols.stand_in import DEVICE, NOW, SECRET, terms
from tests.protocols.test_protocol_fuzz import GOOD_MPP, GOOD_X402

from .body_parsers import BODY_PARSERS, ORDER
from .file_parsers import FILE_PARSERS, HEAD, KEY
from .hub_parsers import HUB_PARSERS
from .parser import Parser, an_object, text
from .session_parsers import SESSION_PARSERS

USD = {"USD": Asset("USD", 6)}


def _scope(raw: bytes) -> object:
    line, *headers = raw.split(b"\n")
    target, _, query = line.partition(b"?")
    named = [tuple(header.partition(b":")[::2]) for header in headers]
    request = read_request(
        {
            "type": "http",
            "method": "GET",
            "path": target.decode("latin-1"),
            "raw_path": target,
            "query_string": query,
            "headers": [(b"host", b"shop.example"), *named],
            "client": ("10.0.0.1", 5),
            "http_version": "1.1",
            "scheme": "https",
        }
    )
    return Trust(["10.0.0.0/8"]).address(request), request.target, request.resource


def _signed_fields(raw: bytes) -> object:
    one, _, other = raw.decode("latin-1").partition("\n")
    return message_signatures.read_claim({"signature-input": one, "signature": other})


def _mpp(raw: bytes) -> object:
    return mpp.Mpp([SECRET]).read({"authorization": raw.decode("latin-1")}, terms(), NOW)


def _x402(raw: bytes) -> object:
    return x402.X402().read({"payment-signature": raw.decode("latin-1")}, terms(), NOW)


def _cursor(told: str) -> object:
    call = Call(None, None, None, {}, {"cursor": told}, {}, b"", None, None, "")  # type: ignore[arg-type]
    return lists.cursor_of(call, "pay")


def _host(told: str) -> object:
    return signed_request.host_of({"server": ("127.0.0.1", 8402)}, {"host": told})


def _chunked(raw: bytes) -> object:
    chunks = raw.split(b"\n")

    async def receive() -> dict[str, Any]:
        body = chunks.pop(0) if chunks else b""
        return {"type": "http.request", "body": body, "more_body": bool(chunks)}

    return asyncio.run(reading.read_body(receive, {}, 64, lambda _count: None))


def _pay_header(told: str) -> object:
    told = told.replace("@-", "@")  # Stdin is not there to read.
    return read_pay_request("http://a/", None, [told], [], None)


def _challenge(raw: bytes) -> object:
    return client.asks([("www-authenticate", raw.decode("latin-1"))])


def _required(raw: bytes) -> object:
    return client.asks([("payment-required", raw.decode("latin-1"))])


_PAYMENT = b"pay_01kaw1f2820000000000000000"
_ASKED = message_signatures.SignedMessage(
    method="GET", authority="hub.example", target="/v1/payments", headers={}
)
_SIGNATURE_FIELDS = dict(
    message_signatures.sign_request(KEY, DEVICE, _ASKED, now_s=1, nonce="n")
).values()
_WRITTEN = dict(mpp.Mpp([SECRET]).challenge(terms(), NOW, None))
_REQUIRED = dict(x402.X402().challenge(terms(), NOW, None))
_CREDENTIAL = b"Payment " + codec.to_base64url(json.dumps(GOOD_MPP).encode()).encode()
_SIGNED = codec.to_base64(json.dumps(GOOD_X402).encode()).encode()


def _value(headers: dict[str, str]) -> bytes:
    return next(iter(headers.values())).encode()


PARSERS = (
    *BODY_PARSERS,
    *SESSION_PARSERS,
    *FILE_PARSERS,
    *HUB_PARSERS,
    Parser("json", codec.read_json, (b'{"a": [1, "b", null, true]}', b'"\\u0041"')),
    Parser("base64url", text(codec.from_base64url), (b"AAEC_-8", b"")),
    Parser("base64", text(codec.from_base64), (b"AAEC/+8=", b"")),
    Parser("id", text(ids.decode), (b"01kaw1f2800000000000000000",)),
    Parser("named-id", text(lambda t: ids.number("pay", t)), (b"pay_01kaw1f2800000000000000000",)),
    Parser("time", text(parse_time), (b"2027-01-01T00:00:00Z",)),
    Parser("units", text(parse_units), (b"0", b"1500", b"9223372036854775807")),
    Parser("price", text(lambda t: parse_price(t, USD)), (b"0.0015 USD", b"10 USD")),
    Parser("public-key", text(keys.check_public_key), (KEY.public.encode(),)),
    Parser("path", paths.normal_path, (b"/a/b%20c", b"/%E2%82%AC")),
    Parser("query", paths.normal_query, (b"a=1&b=%20", b"")),
    Parser("pattern", text(prices.parse_pattern), (b"/a/{name}", b"/a/*")),
    Parser("period", text(periods.check_per), (b"day", b"month", b"15m")),
    Parser("hours", text(periods.check_hours), (b"08:00-18:00", b"22:00-06:00")),
    Parser("time-zone", text(periods.check_zone), (b"Europe/Berlin", b"UTC")),
    Parser("order", an_object(orders.order_from_members), (ORDER,)),
    Parser(
        "certificate",
        an_object(identity.read_certificate),
        (json.dumps(make()["certificate"]).encode(),),
    ),
    Parser(
        "receipt",
        an_object(lambda o: receipts.receipt_fault(o, ROOT.public)),
        (json.dumps(make()).encode(),),
    ),
    Parser("head-line", heads.read_head_line, (HEAD,)),
    Parser(
        "price-file",
        text(lambda t: read_prices(t, USD)),
        (b'[seller]\npayee = "acc_x"\n\n[[offer]]\npath = "/a"\nprice = "0.1 USD"\n',),
    ),
    Parser("request", _scope, (b"/a/b?c=d\nX-Forwarded-For: 1.2.3.4", b"/\ncontent-length:3")),
    Parser(
        "api-query", lambda raw: reading.read_query(raw, {"limit": "", "after": ""}), (b"limit=5",)
    ),
    Parser("api-cursor", text(_cursor), (codec.to_base64url(_PAYMENT).encode(),)),
    Parser("api-host", text(_host), (b"127.0.0.1:8402", b"[::1]:8402")),
    Parser("last-event-id", text(streams.event_number), (b"12",)),
    Parser("api-body-chunks", _chunked, (b"a\nb\nc",)),
    Parser("field-parts", text(fields.split), (b'Payment a="b", Basic eHg=',)),
    Parser("accept-payment", text(preferences.read), (b"farthing/charge;q=0.5, */*",)),
    Parser("mpp-credential", _mpp, (_CREDENTIAL,)),
    Parser("mpp-challenge", _challenge, (_value(_WRITTEN),)),
    Parser(
        "mpp-receipt",
        lambda r: client.read_receipt([("payment-receipt", r.decode("latin-1"))]),
        (b"e30",),
    ),
    Parser("x402-payment", _x402, (_SIGNED,)),
    Parser("x402-required", _required, (_value(_REQUIRED),)),
    Parser(
        "x402-response",
        lambda r: client.read_receipt([("payment-response", r.decode("latin-1"))]),
        (b"e30=",),
    ),
    Parser("x402-message", an_object(x402.signed_order), (json.dumps(GOOD_X402).encode(),)),
    Parser("x402-identifier", an_object(x402.identifier_of), (json.dumps(GOOD_X402).encode(),)),
    Parser(
        "signature-input",
        _signed_fields,
        ("\n".join(_SIGNATURE_FIELDS).encode(),),
    ),
    Parser("pay-header", text(_pay_header), (b"A: b",)),
)
