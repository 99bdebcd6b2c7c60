"""Every parser of what comes from outside, in one table: bytes in, a value or our own error out.

A new parser is one line here; it is then tried with random bytes, with broken copies of its
samples, with the kept corpus, and by `make fuzz`.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from farthing import codec, ids, keys
from farthing.clock import parse_time
from farthing.config import load_config
from farthing.core import heads, identity, orders, paths, periods, prices, receipts
from farthing.device.hub_calls import read_object
from farthing.device.journal import FolderJournal
from farthing.device.pay_request import read_request as read_pay_request
from farthing.device.purse import open_purse
from farthing.money import Asset, parse_price, parse_units
from farthing.protocols import client, fields, message_signatures, mpp, preferences, x402
from farthing.services.heads import HeadsFile
from farthing.web.api import bodies, reading
from farthing.web.api.endpoint import Call
from farthing.web.hub_offers import offer_of, read_page
from farthing.web.incoming import read_request
from farthing.web.price_file import read_prices
from farthing.web.remote_hub import error_of
from farthing.web.trust import Trust
from tests.protocols.stand_in import NOW, SECRET, terms
from tests.protocols.test_protocol_fuzz import GOOD_MPP, GOOD_X402

USD = {"USD": Asset("USD", 6)}
_FOLDER = Path(tempfile.mkdtemp(prefix="farthing-fuzz-"))


@dataclass(frozen=True)
class Parser:
    """One parser: what reads bytes, and bytes that it does read."""

    name: str
    read: Callable[[bytes], object]
    samples: tuple[bytes, ...]


def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Read text as JSON or a header would hand it on: any character at all."""
    return lambda raw: (read(raw.decode("utf-8", "replace")), read(raw.decode("latin-1")))


def plain(read: Callable[[Any], object]) -> Callable[[bytes], object]:
    """Read a value out of JSON."""
    return lambda raw: read(codec.read_json(raw))


def an_object(read: Callable[[dict[str, Any]], object]) -> Callable[[bytes], object]:
    """Read a JSON object; what else JSON can be is refused before."""
    return lambda raw: read(read_object(raw))


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


def _config(raw: bytes) -> object:
    file = _FOLDER / "farthing.toml"
    file.write_bytes(raw)
    return load_config(file, {})


def _key_file(raw: bytes) -> object:
    file = _FOLDER / "some.key"
    file.touch(mode=0o600)
    file.write_bytes(raw)
    return keys.read_key_file(file)


def _heads_file(raw: bytes) -> object:
    file = _FOLDER / "heads.log"
    file.write_bytes(raw)
    return HeadsFile(file).read()


def _journal(raw: bytes) -> object:
    folder = _FOLDER / "journal"
    folder.mkdir(exist_ok=True)
    (folder / "0123456789abcdef0123456789abcdef-1.json").write_bytes(raw)
    return FolderJournal(folder).unresolved()


def _body(kind: type[msgspec.Struct]) -> Callable[[bytes], object]:
    """Read a body as an endpoint does; nothing else of the request is looked at."""

    def read(raw: bytes) -> object:
        return Call(None, None, None, {}, {}, {}, raw, None, None, "").body(kind)

    return read


def _purse(raw: bytes) -> object:
    folder = _FOLDER / "purse"
    folder.mkdir(exist_ok=True)
    (folder / "purse.json").write_bytes(raw)
    if not (folder / "device.key").exists():
        keys.write_key_file(folder / "device.key", _KEY)
    return open_purse(folder)


def _offer(told: dict[str, Any]) -> object:
    return offer_of(told, USD)


def _answer(status: int) -> Callable[[bytes], object]:
    return lambda raw: error_of(httpx.Response(status, content=raw)).problem()


def _mpp(raw: bytes) -> object:
    return mpp.Mpp([SECRET]).read({"authorization": raw.decode("latin-1")}, terms(), NOW)


def _x402(raw: bytes) -> object:
    return x402.X402().read({"payment-signature": raw.decode("latin-1")}, terms(), NOW)


def _chunked(raw: bytes) -> object:
    chunks = raw.split(b"\n")

    async def receive() -> dict[str, Any]:
        body = chunks.pop(0) if chunks else b""
        return {"type": "http.request", "body": body, "more_body": bool(chunks)}

    return asyncio.run(reading.read_body(receive, {}, 64, lambda _count: None))


def _challenge(raw: bytes) -> object:
    return client.asks([("www-authenticate", raw.decode("latin-1"))])


def _required(raw: bytes) -> object:
    return client.asks([("payment-required", raw.decode("latin-1"))])


_WRITTEN = dict(mpp.Mpp([SECRET]).challenge(terms(), NOW, None))
_REQUIRED = dict(x402.X402().challenge(terms(), NOW, None))
_CREDENTIAL = b"Payment " + codec.to_base64url(json.dumps(GOOD_MPP).encode()).encode()
_SIGNED = codec.to_base64(json.dumps(GOOD_X402).encode()).encode()
_KEY = keys.new_signer()


def _value(headers: dict[str, str]) -> bytes:
    return next(iter(headers.values())).encode()


PARSERS = (
    Parser("json", codec.read_json, (b'{"a": [1, "b", null, true]}', b'"\\u0041"')),
    Parser("base64url", text(codec.from_base64url), (b"AAEC_-8", b"")),
    Parser("base64", text(codec.from_base64), (b"AAEC/+8=", b"")),
    Parser("id", text(ids.decode), (b"01kaw1f2800000000000000000",)),
    Parser("named-id", text(lambda t: ids.number("pay", t)), (b"pay_01kaw1f2800000000000000000",)),
    Parser("time", text(parse_time), (b"2027-01-01T00:00:00Z",)),
    Parser("units", text(parse_units), (b"0", b"1500", b"9223372036854775807")),
    Parser("price", text(lambda t: parse_price(t, USD)), (b"0.0015 USD", b"10 USD")),
    Parser("public-key", text(keys.check_public_key), (_KEY.public.encode(),)),
    Parser("key-file", _key_file, (b"ed25519 00\n",)),
    Parser("path", paths.normal_path, (b"/a/b%20c", b"/%E2%82%AC")),
    Parser("query", paths.normal_query, (b"a=1&b=%20", b"")),
    Parser("pattern", text(prices.parse_pattern), (b"/a/{name}", b"/a/*")),
    Parser("period", text(periods.check_per), (b"day", b"month", b"15m")),
    Parser("hours", text(periods.check_hours), (b"08:00-18:00", b"22:00-06:00")),
    Parser("time-zone", text(periods.check_zone), (b"Europe/Berlin", b"UTC")),
    Parser("order", an_object(orders.order_from_members), (b'{"amount": "1"}',)),
    Parser("certificate", an_object(identity.read_certificate), (b'{"key": "ed25519:x"}',)),
    Parser(
        "receipt",
        an_object(lambda o: receipts.receipt_fault(o, _KEY.public)),
        (b'{"version": 1, "statement": {}, "proof": {}, "certificate": {}}',),
    ),
    Parser("head-line", heads.read_head_line, (b'{"chain": "c", "number": 1}',)),
    Parser("heads-file", _heads_file, (b'{"chain": "c", "number": 1}\n',)),
    Parser("config", _config, (b"[server]\nport = 8402\n", b'[books]\nengine = "sqlite"\n')),
    Parser(
        "price-file",
        text(lambda t: read_prices(t, USD)),
        (b'[seller]\npayee = "acc_x"\n\n[[offer]]\npath = "/a"\nprice = "0.1 USD"\n',),
    ),
    Parser("request", _scope, (b"/a/b?c=d\nX-Forwarded-For: 1.2.3.4", b"/\nContent-Length: 3")),
    Parser(
        "api-query", lambda raw: reading.read_query(raw, {"limit": "", "after": ""}), (b"limit=5",)
    ),
    Parser("api-body-chunks", _chunked, (b"a\nb\nc",)),
    *(
        Parser(kind.__name__, _body(kind), (sample,))
        for kind, sample in (
            (bodies.OwnerBody, b'{"name": "me", "time_zone": "UTC"}'),
            (bodies.KeyBody, b'{"scopes": ["read"], "label": "x"}'),
            (bodies.AccountBody, b'{"asset": "USD", "name": "shop"}'),
            (bodies.CreditBody, b'{"account": "acc_x", "units": "5", "asset": "USD"}'),
            (
                bodies.MandateBody,
                b'{"asset": "USD", "budgets": [{"name": "a", "per": "day", "limit": "5"}]}',
            ),
            (bodies.InvitationBody, b'{"account": "acc_x", "mandate": "man_x"}'),
            (bodies.EnrolBody, b'{"code": "A", "public_key": "ed25519:x", "signature": "AA"}'),
            (bodies.RotateBody, b'{"public_key": "ed25519:x"}'),
            (bodies.OfferBody, b'{"payee": "acc_x", "path": "/a", "asset": "USD", "amount": "1"}'),
            (bodies.PaymentBody, b'{"order": {"amount": "1"}, "signature": "AA"}'),
            (bodies.CancelBody, b'{"order": {"amount": "1"}, "signature": "AA"}'),
            (bodies.AuthoriseBody, b'{"order": {"amount": "1"}, "signature": "AA"}'),
            (bodies.CaptureBody, b'{"amount": "1"}'),
            (bodies.RefundBody, b'{"id": "x", "amount": "1", "reason": "broken"}'),
        )
    ),
    Parser("field-parts", text(fields.split), (b'Payment a="b", Basic eHg=',)),
    Parser("accept-payment", text(preferences.read), (b"farthing/charge;q=0.5, *",)),
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
        (b'farthing=("@method" "@authority");created=1;keyid="dev_x";nonce="n"\nfarthing=:AAAA:',),
    ),
    Parser("journal-entry", _journal, (b'{"payment": "pay_x", "fields": []}',)),
    Parser("purse", _purse, (b'{"format": "farthing-purse-1", "device": "dev_x"}',)),
    Parser(
        "pay-header", text(lambda t: read_pay_request("http://a/", None, [t], [], None)), (b"A: b",)
    ),
    Parser("hub-answer", read_object, (b'{"code": "x"}',)),
    Parser("hub-problem-422", _answer(422), (b'{"code": "offer-expired", "detail": "late"}',)),
    Parser("hub-problem-500", _answer(500), (b"<html>",)),
    Parser("hub-page", read_page, (b'{"items": [{}], "next": null}',)),
    Parser("hub-offer", an_object(_offer), (b'{"path": "/a", "method": "GET", "asset": "USD"}',)),
)
