"""Where something listed can be found: an origin that its seller names, and one template a route.

Both are keys of a public catalogue, so they are read strictly: nothing that could lead a reader,
or another catalogue, to another place than it says.

Source: x402's bazaar extension, "routeTemplate validation rules".
"""

import re
from urllib.parse import unquote

from farthing.core.paths import AmbiguousPath, normal_path
from farthing.errors import Malformed

ORIGIN_CHARACTERS_MAX = 200

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN = re.compile(rf"https://((?:{_LABEL}\.)+{_LABEL})(?::([1-9][0-9]{{0,4}}))?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_OWN = ("localhost", "localdomain")
_TEMPLATE = re.compile(r"/[a-zA-Z0-9_/:.\-~%]+", re.ASCII)
_NAME = re.compile(r"\{(\w+)\}", re.ASCII)
_REST = "/:rest"
_DECODINGS_MAX = 5


def listing_origin(text: str) -> str:
    """Read where a seller is found: `https://shop.example`, with a port if need be.

    Raises: Malformed `malformed-listing` for an address, a name of one's own machine, a path.
    """
    read = _ORIGIN.fullmatch(text) if len(text) <= ORIGIN_CHARACTERS_MAX else None
    last = read[1].rpartition(".")[2] if read else ""
    if read is None or _NUMBER.fullmatch(last) or last in _OWN or int(read[2] or 1) > 65535:
        detail = "list it under https:// and a public host name, without path: https://shop.example"
        raise Malformed("malformed-listing", detail)
    return text


def listing_path(pattern: str) -> str:
    """Write an offer's path as it is listed: `/a/{name}` as `/a/:name`, `/a/*` as `/a/:rest`.

    Raises: Malformed `malformed-listing`.
    """
    written = _NAME.sub(r":\1", pattern)
    written = written[:-2] + _REST if written.endswith("/*") else written
    if not is_route_template(written) and written != "/":
        raise Malformed("malformed-listing", "a listed path has letters, digits and /_.-~ alone")
    return written


def is_template(pattern: str) -> bool:
    """Tell whether a path pattern stands for many paths."""
    return "{" in pattern or pattern.endswith("/*")


def is_route_template(text: str) -> bool:
    """Tell whether a route template may be a catalogue's key.

    Shape: it stays within its origin, however often it is percent-encoded.
    """
    if _TEMPLATE.fullmatch(text) is None:
        return False
    decoded = text
    for _ in range(_DECODINGS_MAX):
        again = unquote(decoded)
        if again == decoded:
            return ".." not in decoded and "://" not in decoded
        decoded = again
    return False


def listing_url(origin: str, pattern: str) -> str:
    """Give the address of what is listed.

    Raises: Malformed `malformed-listing`.
    """
    path = listing_path(pattern)
    if is_template(pattern):
        return origin + path
    try:
        return origin + normal_path(path.encode()).raw
    except AmbiguousPath as fault:
        raise Malformed("malformed-listing", fault.detail) from None
