"""What a seller sells, for machines to find: `/openapi.json` and `/llms.txt`.

Both are written from the prices in force and run nothing of the app. They inform only: what a
request costs is what its own 402 says.

Source: draft-payment-discovery-00 (the document, `x-service-info`, `x-payment-info`).
"""

import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from farthing.core.prices import Offer, PriceList
from farthing.protocols.names import METHOD
from farthing.web.asgi import App, Message, Receive, Scope, Send
from farthing.web.problems import Answer, send_answer

OPENAPI, LLMS = "/openapi.json", "/llms.txt"
_CACHE = (b"cache-control", b"public, max-age=300")
_MARKUP = re.compile(r"[\x00-\x1f\x7f-\x9f#`<>\[\]*_|\\\u202a-\u202e\u2066-\u2069]+")
_REST = "rest"


def document(path: str, prices: PriceList, realm: str, scheme: str, now: int) -> Answer:
    """Write one of the two documents.

    Units: `now` is whole Unix seconds; offers that are not valid then are left out.
    Shape: addresses are made of the realm, which is configured, and never of a request's Host.
    """
    origin = f"{scheme}://{realm}"
    offers = [offer for offer in prices.offers if offer.valid_at(now) and offer.price.units]
    if path == OPENAPI:
        raw = json.dumps(_openapi(offers, realm, origin), ensure_ascii=False).encode()
        media = b"application/json"
    else:
        raw = "\n".join(_llms(offers, realm, origin)).encode()
        media = b"text/plain; charset=utf-8"
    fields = [(b"content-type", media), (b"content-length", str(len(raw)).encode()), _CACHE]
    return Answer(200, [*fields, (b"x-content-type-options", b"nosniff")], raw)


async def unless_own(app: App, scope: Scope, receive: Receive, send: Send, ours: Answer) -> None:
    """Let the app answer; where it has nothing of that name (404), give our document instead."""
    replaced = False

    async def looked_at(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start" and message["status"] == 404:
            replaced = True
            await send_answer(send, ours, head=scope["method"] == "HEAD")
        elif not replaced:
            await send(message)

    await app(scope, receive, looked_at)


def _openapi(offers: list[Offer], realm: str, origin: str) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for offer in offers:
        path, names = _template(offer.path)
        for method in sorted(offer.methods):
            paths.setdefault(path, {}).setdefault(method.lower(), _operation(offer, names))
    named = {offer.category for offer in offers}
    categories = sorted(name for name in named if name)
    return {
        "openapi": "3.1.0",
        "info": {"title": realm, "version": version("farthing")},
        "servers": [{"url": origin}],
        "x-service-info": {"categories": categories[:5], "docs": {"llms": origin + LLMS}},
        "paths": paths,
    }


def _operation(offer: Offer, names: list[str]) -> dict[str, Any]:
    about = {"summary": offer.description} if offer.description else {}
    return {
        **about,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ],
        "responses": {
            "200": {"description": "What was paid for"},
            "402": {"description": "Payment Required"},
        },
        "x-payment-info": {
            "offers": [
                {
                    "intent": "charge",
                    "method": METHOD,
                    "amount": str(offer.price.units),
                    "currency": offer.price.asset.code,
                    "description": f"{offer.price} for each request",
                }
            ]
        },
    }


def _template(path: str) -> tuple[str, list[str]]:
    """Write a pattern as OpenAPI has it: what `/*` stands for gets a name."""
    if path.endswith("/*"):
        path = f"{path[:-1]}{{{_REST}}}"
    return path, re.findall(r"\{(\w+)\}", path)


def _llms(offers: list[Offer], realm: str, origin: str) -> Iterator[str]:
    yield f"# {_plain(realm)}"
    yield ""
    yield "> What is sold here is paid for by the request, over HTTP 402."
    yield ""
    yield f"Prices as OpenAPI, with x-payment-info: {origin}{OPENAPI}"
    yield ""
    yield "## For sale"
    yield ""
    for offer in offers:
        what = f": {_plain(offer.description)}" if offer.description else ""
        methods = sorted(offer.methods)
        yield f"- {' '.join(methods)} {offer.path}, {offer.price}{what}"
    yield ""
    yield "## How to pay"
    yield ""
    yield "- Ask without payment: the 402 has the price, in MPP (WWW-Authenticate: Payment) and"
    yield "  in x402 v2 (PAYMENT-REQUIRED). It alone is binding; this page only informs."
    yield "- With a device enrolled at the seller's hub: farthing pay URL"
    yield ""


def _plain(text: str) -> str:
    """Leave out what could pose as markup of ours."""
    return re.sub(r"\s+", " ", _MARKUP.sub(" ", text)).strip()
