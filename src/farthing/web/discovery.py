"""What a seller sells, for machines to find: `/openapi.json` and `/llms.txt`.

Both are written from the prices in force and run nothing that is sold. They inform only: what a
request costs is what its own 402 says.

Source: draft-payment-discovery-00 (the document, `x-service-info`, `x-payment-info`).
"""

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from farthing.web.for_sale import ForSale, operations, price_words
from farthing.web.own_openapi import operation_of
from farthing.web.plain_text import plain
from farthing.web.problems import Answer

OPENAPI, LLMS = "/openapi.json", "/llms.txt"
_CACHE = (b"cache-control", b"public, max-age=300")


def document(path: str, sale: ForSale, origin: str) -> Answer:
    """Write one of the two documents.

    Shape: `origin` is made of the realm, which is configured, and never of a request's Host.
    """
    realm = origin.partition("://")[2]
    if path == OPENAPI:
        raw = json.dumps(_openapi(sale, realm, origin), ensure_ascii=False).encode()
        media = b"application/json"
    else:
        raw = "\n".join(_llms(sale, realm, origin)).encode()
        media = b"text/plain; charset=utf-8"
    fields = [(b"content-type", media), (b"content-length", str(len(raw)).encode()), _CACHE]
    return Answer(200, [*fields, (b"x-content-type-options", b"nosniff")], raw)


def service_info(sale: ForSale, origin: str) -> dict[str, Any]:
    """Write `x-service-info`."""
    return {"categories": sale.categories, "docs": {"llms": origin + LLMS}}


def _openapi(sale: ForSale, realm: str, origin: str) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for offer in sale.priced:
        for method, path in operations(offer):
            asked = sale.met(method, path).asked
            if asked is not None:
                written = operation_of(path, asked, offer.description)
                paths.setdefault(path, {}).setdefault(method.lower(), written)
    return {
        "openapi": "3.1.0",
        "info": {"title": realm, "version": version("farthing")},
        "servers": [{"url": origin}],
        "x-service-info": service_info(sale, origin),
        "paths": paths,
    }


def _llms(sale: ForSale, realm: str, origin: str) -> Iterator[str]:
    yield f"# {plain(realm)}"
    yield ""
    yield "> What is sold here is paid for by the request, over HTTP 402."
    yield ""
    yield f"Prices as OpenAPI, with x-payment-info: {origin}{OPENAPI}"
    yield ""
    yield "## For sale"
    yield ""
    for offer in sale.priced:
        what = f": {plain(offer.description)}" if offer.description else ""
        methods = sorted(offer.methods)
        yield f"- {' '.join(methods)} {offer.path}, {price_words(offer)}{what}"
    yield ""
    yield "## How to pay"
    yield ""
    yield "- Ask without payment: the 402 has the price, in MPP (WWW-Authenticate: Payment) and"
    yield "  in x402 v2 (PAYMENT-REQUIRED). It alone is binding; this page only informs."
    yield "- With a device enrolled at the seller's hub: farthing pay URL"
    yield ""
