"""What caches may do with an answer that was paid for."""

from farthing.web.asgi import RawHeaders

_NOT_PRIVATE = ("public", "s-maxage", "proxy-revalidate", "private")


def private(headers: RawHeaders) -> RawHeaders:
    """Make an answer one that only its payer's own cache may keep.

    Source: RFC 9111, section 5.2.2.7; draft-httpauth-payment-00, caching.
    """
    told = b", ".join(value for name, value in headers if name == b"cache-control").decode(
        "latin-1"
    )
    parts = [part.strip() for part in told.split(",") if part.strip()]
    kept = [part for part in parts if part.split("=")[0].strip().lower() not in _NOT_PRIVATE]
    rest = [field for field in headers if not _for_shared_caches(field[0])]
    return [*rest, (b"cache-control", ", ".join(["private", *kept]).encode("latin-1"))]


def _for_shared_caches(name: bytes) -> bool:
    """Tell whether a field speaks to some caches alone, which then pass `Cache-Control` over.

    Source: RFC 9213 (names end in `-Cache-Control`); Edge Architecture; nginx and Akamai.
    """
    return name.endswith(b"cache-control") or name in (
        b"surrogate-control",
        b"edge-control",
        b"x-accel-expires",
    )
