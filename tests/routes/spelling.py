"""One way to ask for a priced page, plainly or not."""

from dataclasses import dataclass

PAGE, GOLD, FREE = b"/paid", b"/vault/gold", b"/free"
"""`PAGE` and `GOLD` are priced; `GOLD` lies under a closed prefix."""

HOST = b"Host: shop.example"
CLOSE = b"Connection: close"
HIDDEN = b"GET /paid HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
"""A request that is to be smuggled behind another one."""


@dataclass(frozen=True)
class Spelling:
    """A request, or `raw` bytes that are sent one after the other."""

    name: str
    method: bytes = b"GET"
    target: bytes = PAGE
    fields: tuple[bytes, ...] = ()
    body: bytes = b""
    version: bytes = b"HTTP/1.1"
    first: tuple[bytes, ...] = (HOST, CLOSE)
    raw: tuple[bytes, ...] = ()

    def parts(self, *more: bytes) -> list[bytes]:
        """Write it, with `more` fields of a payment where it has a head of its own."""
        if self.raw:
            return list(self.raw)
        line = b"%b %b %b" % (self.method, self.target, self.version)
        return [b"\r\n".join([line, *self.first, *self.fields, *more, b"", b""]) + self.body]

    @property
    def payable(self) -> bool:
        """Tell whether a payment can be put into it."""
        return not self.raw
