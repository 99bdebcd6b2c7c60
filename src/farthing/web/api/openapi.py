"""The OpenAPI document, written from the same table that the router serves."""

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from farthing.web.api.endpoint import KEY_MAX, Endpoint

_PROBLEM = {
    "description": "A problem, with a stable `code`",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_RETRY = {
    **_PROBLEM,
    "headers": {
        "Retry-After": {
            "description": "Seconds to wait",
            "required": True,
            "schema": {"type": "integer", "minimum": 0},
        }
    },
}
_UNPROVEN = {
    **_PROBLEM,
    "headers": {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
}
_LOCATION = {"Location": {"required": True, "schema": {"type": "string"}}}
_QUERY: Mapping[str, Mapping[str, Any]] = {
    "limit": {"type": "integer", "minimum": 1},
    "offset": {"type": "integer", "minimum": 0},
}
_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "hint": {"type": "string"},
    },
}


def describe(endpoints: Sequence[Endpoint], url: str) -> dict[str, Any]:
    """Describe all endpoints as OpenAPI 3.1."""
    told = [kind for e in endpoints for kind in (e.body, e.answer, *e.others.values())]
    kinds = [kind for kind in told if kind is not None]
    references, schemas = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    named = dict(zip(kinds, references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, named)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Farthing",
            "version": version("farthing"),
            "description": "A hub where machines pay machines.",
        },
        "servers": [{"url": url or "/"}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": _PROBLEM_SCHEMA},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key"},
                "device": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Signature",
                    "description": "HTTP Message Signatures (RFC 9421) by an enrolled device",
                },
            },
        },
    }


def _operation(endpoint: Endpoint, named: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint, named),
        "security": _security(endpoint),
    }
    if endpoint.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": named[endpoint.body]}},
        }
    if endpoint.takes:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": endpoint.takes}},
        }
    if endpoint.takes_media:
        described["requestBody"] = {"required": True, "content": {endpoint.takes_media: {}}}
    if endpoint.scopes:
        described["x-scopes"] = [scope.value for scope in endpoint.scopes]
    return described


def _responses(endpoint: Endpoint, named: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {
        str(endpoint.status): {
            "description": "Done",
            "content": {
                media: {"schema": named.get(endpoint.answer, {})}
                for media in (endpoint.media, *endpoint.other_media)
            },
        },
        "429": _RETRY,
        "503": _RETRY,
        "4XX": _PROBLEM,
        "5XX": _PROBLEM,
    }
    if endpoint.scopes is not None:
        told["401"] = _UNPROVEN
    for status, kind in endpoint.others.items():
        told[str(status)] = {
            "description": "It awaits the owner" if status == 202 else "Not now",
            "content": {endpoint.media: {"schema": named[kind]}},
            **({"headers": _LOCATION} if status == 202 else {}),
        }
    return told


def _security(endpoint: Endpoint) -> list[dict[str, list[str]]]:
    if endpoint.scopes is None:
        return []
    return [{"key": []}, *([{"device": []}] if endpoint.devices else [])]


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": text}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]
    found += [
        {"name": name, "in": "query", "required": False, "description": what}
        | {"schema": _QUERY.get(name, text)}
        for name, what in endpoint.query.items()
    ]
    if endpoint.keyed:
        key = {"type": "string", "maxLength": KEY_MAX}
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": key})
    return found
