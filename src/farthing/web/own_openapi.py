"""An app's own OpenAPI document, with what its operations cost written into it.

Nothing of the app's is taken away. What cannot be read is left as it is, so that a document never
gets worse for being passed on.

Source: draft-payment-discovery-00 (`x-payment-info`, `x-service-info`, the 402 response).
"""

import json
import re
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

from farthing.protocols.names import METHOD
from farthing.web.for_sale import Asked, ForSale, Met, operations, shape_of

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
Node = dict[str, Any]


class NotAnnotated(Exception):
    """The document is passed on as it is; the text says why."""


def annotated(raw: bytes, sale: ForSale, service: Node) -> bytes:
    """Write prices, 402 responses and `x-service-info` into a document.

    Shape:  `service` is our own `x-service-info`; the app's members of it stay.
    Raises: NotAnnotated.
    """
    document = _read(raw)
    roots = _roots(document)
    paths = cast(Node, document["paths"])
    told: set[str] = set()
    for path, method, operation in _operations(paths):
        met = _met(sale, method, path, roots)
        told |= {offer.name for offer in met.offers}
        if met.asked is not None:
            _annotate(operation, met.asked)
    _add_missing(paths, sale, told)
    _merge_service(document, service)
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as fault:
        raise NotAnnotated(f"it cannot be written again: {fault}") from None


def operation_of(path: str, asked: Asked, summary: str = "") -> Node:
    """Write an operation of which nothing but its price is known."""
    return {
        **({"summary": summary} if summary else {}),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"\{(\w+)\}", path)
        ],
        "responses": {
            "200": {"description": "What was paid for"},
            "402": {"description": "Payment Required"},
        },
        "x-payment-info": asked.info(),
    }


def _read(raw: bytes) -> Node:
    try:
        document = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as fault:
        raise NotAnnotated(f"it is no JSON: {type(fault).__name__}") from None
    if not isinstance(document, dict):
        raise NotAnnotated("it is no object")
    found = cast(Node, document)
    if not str(found.get("openapi", "")).startswith("3.") or not isinstance(
        found.get("paths"), dict
    ):
        raise NotAnnotated("it is no OpenAPI 3 document with paths")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _roots(document: Node) -> list[str]:
    """Give where the paths begin, as the document's first server has it, and at the root."""
    servers = document.get("servers")
    first = cast(list[Any], servers)[0] if isinstance(servers, list) and servers else None
    url = cast(Node, first).get("url") if isinstance(first, dict) else None
    try:
        path = urlsplit(url).path.rstrip("/") if isinstance(url, str) else ""
    except ValueError:
        path = ""
    return [path, ""] if path else [""]


def _operations(paths: Node) -> Iterator[tuple[str, str, Node]]:
    for path, item in paths.items():
        if not isinstance(item, dict) or not path.startswith("/"):
            continue
        for method in _METHODS:
            operation = cast(Node, item).get(method)
            if isinstance(operation, dict):
                yield path, method.upper(), cast(Node, operation)


def _met(sale: ForSale, method: str, path: str, roots: list[str]) -> Met:
    found = [sale.met(method, root + path) for root in roots]
    return next((met for met in found if met.offers), found[0])


def _annotate(operation: Node, asked: Asked) -> None:
    """Write the price of an operation; offers of other methods that the app has named stay."""
    responses = operation.setdefault("responses", {})
    if not isinstance(responses, dict):
        return
    cast(Node, responses).setdefault("402", {"description": "Payment Required"})
    theirs = [offer for offer in _offers(operation.get("x-payment-info")) if _is_theirs(offer)]
    operation["x-payment-info"] = {"offers": [*asked.info()["offers"], *theirs]}


def _offers(info: Any) -> list[Any]:
    """Read both forms of `x-payment-info`."""
    if not isinstance(info, dict):
        return []
    several = cast(Node, info).get("offers")
    return cast(list[Any], several) if isinstance(several, list) else [info]


def _is_theirs(offer: Any) -> bool:
    return isinstance(offer, dict) and cast(Node, offer).get("method") not in (METHOD, None)


def _add_missing(paths: Node, sale: ForSale, told: set[str]) -> None:
    """Add what is for sale and stands nowhere in the document."""
    for offer in (one for one in sale.priced if one.name not in told):
        for method, path in operations(offer):
            asked = sale.met(method, path).asked
            known = next((have for have in paths if shape_of(have) == shape_of(path)), path)
            item = paths.setdefault(known, {})
            if asked is not None and isinstance(item, dict):
                written = operation_of(known, asked, offer.description)
                cast(Node, item).setdefault(method.lower(), written)


def _merge_service(document: Node, service: Node) -> None:
    theirs = document.get("x-service-info", {})
    if not isinstance(theirs, dict):
        return
    merged = {**service, **cast(Node, theirs)}
    docs = cast(Node, theirs).get("docs", {})
    if isinstance(docs, dict):
        merged["docs"] = {**service.get("docs", {}), **cast(Node, docs)}
    document["x-service-info"] = merged
