"""Answers: of a hub that may be anybody's, and of the app behind a paywall."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx

from farthing.cli import local
from farthing.cli.calling import News, read_event
from farthing.cli.looks.network import _date_in
from farthing.core.prices import Offer
from farthing.device.enrolment import _listed, _scales
from farthing.device.hub_calls import read_object, text_of
from farthing.device.patience import retry_after
from farthing.errors import Malformed
from farthing.money import Amount, Asset
from farthing.web.for_sale import ForSale
from farthing.web.hops import backward
from farthing.web.hub_offers import offer_of, read_page
from farthing.web.own_openapi import NotAnnotated, annotated
from farthing.web.remote_hub import error_of, read_authorisation
from farthing.web.upstream_connection import Connection, UpstreamBroke
from tests.protocols.stand_in import NOW

from .parser import Parser, an_object, plain, text

_USD = {"USD": Asset("USD", 6)}
_DATE = b"Sun, 22 Nov 2026 21:00:00 GMT"
_SALE = ForSale(
    listed=(
        Offer(name="a", price=Amount(5, _USD["USD"]), path="/a/{b}"),
        Offer(name="b", price=Amount(9, _USD["USD"]), path="/*"),
    )
)
_DOCUMENT = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://shop.example/v1"}],
    "paths": {"/a/{name}": {"get": {"responses": {"200": {"description": "x"}}}}},
}
_OFFER = {
    "id": "off_x",
    "amount": "5",
    "asset": "USD",
    "path": "/a",
    "method": "GET",
    "payee": "acc_x",
    "valid_from": "2026-11-22T21:00:00Z",
}


def _offer(told: dict[str, Any]) -> object:
    return offer_of(told, _USD)


def _answer(status: int) -> Callable[[bytes], object]:
    return lambda raw: error_of(httpx.Response(status, content=raw)).problem()


def _document(raw: bytes) -> object:
    try:
        return annotated(raw, _SALE, {"docs": {"homepage": "/"}})
    except NotAnnotated as fault:
        raise Malformed("malformed-document", str(fault)) from None


def _upstream(raw: bytes) -> object:
    """Read what an upstream sends, in two pieces, and pass its head on."""

    async def read() -> object:
        connection = Connection()
        connection.begin(bodyless=False)
        for piece in (raw[: len(raw) // 2], raw[len(raw) // 2 :]):
            connection.data_received(piece)
        connection.connection_lost(None)
        try:
            await connection.head()
            parts = [part async for part in connection.parts(1)]
        except UpstreamBroke as fault:
            raise Malformed("upstream-broke", str(fault)) from None
        return parts, backward(connection.headers, b"http://app.local", b"/app")

    return asyncio.run(read())


def _assets(told: dict[str, Any]) -> object:
    return _scales({text_of(one, "code"): one.get("scale") for one in _listed(told)})


HUB_PARSERS = (
    Parser("hub-answer", read_object, (b'{"code": "x"}',)),
    Parser("hub-problem-422", _answer(422), (b'{"code": "offer-expired", "detail": "late"}',)),
    Parser("hub-problem-500", _answer(500), (b"<html>",)),
    Parser("hub-page", read_page, (b'{"items": [{}], "next": null}',)),
    Parser("hub-offer", an_object(_offer), (json.dumps(_OFFER).encode(),)),
    Parser("hub-list", plain(local._page), (b'{"items": [{}], "next": "x"}',)),
    Parser("hub-assets", an_object(_assets), (b'{"assets": [{"code": "USD", "scale": 6}]}',)),
    Parser(
        "hub-authorisation",
        read_authorisation,
        (b'{"payment": "pay_x", "state": "held", "fresh": true}',),
    ),
    Parser(
        "hub-event",
        lambda raw: News({"payment.held"}).is_one(read_event(raw)),
        (b'{"kind": "payment.held", "subject": "pay_x", "at": "2026-11-22", "body": {}}',),
    ),
    Parser("date", lambda raw: _date_in(httpx.Response(200, headers=[(b"date", raw)])), (_DATE,)),
    Parser("retry-after", text(lambda t: retry_after(t, NOW)), (b"120", _DATE)),
    Parser("app-document", _document, (json.dumps(_DOCUMENT).encode(),)),
    Parser(
        "app-answer",
        _upstream,
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLocation: http://app.local/app/a\r\n\r\nhi",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        ),
    ),
)
