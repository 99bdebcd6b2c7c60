"""Many requests at one moment: every connection is open before the first byte is sent."""

import asyncio
import http.client
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

SECONDS = 60


@dataclass(frozen=True)
class Ask:
    """One request, which goes over a connection of its own. Shape: bytes are sent as they are."""

    base: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def written(self) -> bytes:
        """Write it as it is sent."""
        told = self.body
        raw = (
            told if isinstance(told, bytes) else b"" if told is None else json.dumps(told).encode()
        )
        fields = {"host": urlsplit(self.base).netloc, "connection": "close", **self.headers}
        if raw or self.method != "GET":
            fields["content-length"] = str(len(raw))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode() + raw


@dataclass(frozen=True)
class Told:
    """One answer. Shape: `status` is 0 where it was never heard, whole."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem."""
        return self.json["code"]


async def at_once(asks: Sequence[Ask]) -> list[Told]:
    """Send all of these at one moment, each on its own connection, and hear every answer."""
    opened = await asyncio.gather(*(_open(ask) for ask in asks))
    for wire, ask in zip(opened, asks, strict=True):
        if wire is not None:
            wire[1].write(ask.written())
    return await asyncio.gather(*(_heard(wire) for wire in opened))


async def tell(ask: Ask) -> Told:
    """Send one request alone."""
    return (await at_once([ask]))[0]


_Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _open(ask: Ask) -> _Wire | None:
    place = urlsplit(ask.base)
    try:
        return await asyncio.open_connection(place.hostname, place.port)
    except OSError:
        return None


async def _heard(wire: _Wire | None) -> Told:
    if wire is None:
        return Told()
    reader, writer = wire
    try:
        async with asyncio.timeout(SECONDS):
            return _read(await reader.read())
    except (OSError, http.client.HTTPException):
        return Told()
    finally:
        writer.close()


class _Bytes:
    """What `http.client` takes for a socket."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, *_how: Any) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _read(raw: bytes) -> Told:
    answer = http.client.HTTPResponse(_Bytes(raw))  # type: ignore[arg-type]
    answer.begin()
    body = answer.read()
    return Told(answer.status, tuple((k.lower(), v) for k, v in answer.getheaders()), body)
