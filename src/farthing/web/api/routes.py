"""The table of endpoints: which one a method and a path lead to."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

from farthing.web.api.endpoint import Endpoint

_SEGMENT = re.compile(r"[A-Za-z0-9_.:~-]{1,200}", re.ASCII)


class Routes:
    """Endpoints by path. Shape: `quick` are those that a plain request can be answered by."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._exact: dict[str, dict[str, Endpoint]] = {}
        self._shaped: dict[int, list[tuple[list[str], dict[str, Endpoint]]]] = {}
        for endpoint in endpoints:
            self._add(endpoint)
        self.quick = {e.path: e for e in endpoints if is_quick(e)}

    def _add(self, endpoint: Endpoint) -> None:
        if "{" not in endpoint.path:
            self._exact.setdefault(endpoint.path, {})[endpoint.method] = endpoint
            return
        parts = endpoint.path.split("/")
        shaped = self._shaped.setdefault(len(parts), [])
        for known, methods in shaped:
            if known == parts:
                methods[endpoint.method] = endpoint
                return
        shaped.append((parts, {endpoint.method: endpoint}))

    def find(self, path: str) -> tuple[dict[str, Endpoint], dict[str, str]] | None:
        """Give the endpoints of a path by their methods, and what its segments say."""
        if path in self._exact:
            return self._exact[path], {}
        parts = path.split("/")
        for shape, methods in self._shaped.get(len(parts), ()):
            values = _match(shape, parts)
            if values is not None:
                return methods, values
        return None


def is_quick(endpoint: Endpoint) -> bool:
    """Tell whether anybody may ask it, and it is answered whole."""
    return (
        endpoint.method == "POST"
        and endpoint.scopes is None
        and not (endpoint.streams or endpoint.query or "{" in endpoint.path)
    )


def _match(shape: Sequence[str], parts: Sequence[str]) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for known, part in zip(shape, parts, strict=True):
        if known.startswith("{"):
            text = unquote(part)
            if _SEGMENT.fullmatch(text) is None:
                return None
            values[known[1:-1]] = text
        elif known != part:
            return None
    return values
