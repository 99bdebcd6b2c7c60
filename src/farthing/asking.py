"""Asking a hub over HTTP: no more of an answer is read than its kind can have.

Answers are asked for without compression, so that what is counted is what is kept.
"""

from collections.abc import AsyncIterator
from typing import cast

import httpx

ANSWER_BYTES_MAX = 1024 * 1024
LIST_BYTES_MAX = 64 * 1024 * 1024
"""For a page of a list: 500 things with lists of their own."""

_PLAIN = {"accept-encoding": "identity"}
_OF_THE_WAY = ("content-encoding", "content-length", "transfer-encoding")


class AnswerTooLong(httpx.TransportError):
    """An answer that is longer than its kind can be, or compressed unasked."""


async def ask(
    client: httpx.AsyncClient, request: httpx.Request, bytes_max: int = ANSWER_BYTES_MAX
) -> httpx.Response:
    """Send a request, and read its answer of at most so many bytes.

    Raises: AnswerTooLong, or another httpx.HTTPError.
    """
    request.headers.update(_PLAIN)
    return await whole(await client.send(request, stream=True), bytes_max)


async def whole(response: httpx.Response, bytes_max: int = ANSWER_BYTES_MAX) -> httpx.Response:
    """Read an answer that has begun, and close it.

    Raises: AnswerTooLong, or another httpx.HTTPError.
    """
    content = bytearray()
    try:
        _check_plain(response)
        async for part in cast(httpx.AsyncByteStream, response.stream):
            _add(content, part, bytes_max)
    finally:
        await response.aclose()
    return _read(response, bytes(content))


def ask_now(client: httpx.Client, url: str, bytes_max: int = ANSWER_BYTES_MAX) -> httpx.Response:
    """GET an answer of at most so many bytes, where no loop runs.

    Raises: AnswerTooLong, or another httpx.HTTPError.
    """
    content = bytearray()
    with client.stream("GET", url, headers=_PLAIN) as response:
        _check_plain(response)
        for part in cast(httpx.SyncByteStream, response.stream):
            _add(content, part, bytes_max)
    return _read(response, bytes(content))


async def lines(response: httpx.Response, bytes_max: int) -> AsyncIterator[bytes]:
    """Give the lines of an answer as they come, each of at most so many bytes.

    Raises: AnswerTooLong, or another httpx.HTTPError.
    """
    _check_plain(response)
    begun = bytearray()
    async for part in cast(httpx.AsyncByteStream, response.stream):
        *ended, rest = part.split(b"\n")
        for line in ended:
            _add(begun, line, bytes_max)
            yield bytes(begun)
            begun.clear()
        _add(begun, rest, bytes_max)


def _check_plain(response: httpx.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise AnswerTooLong("the answer is compressed, which nobody asked for")


def _add(content: bytearray, part: bytes, bytes_max: int) -> None:
    content += part
    if len(content) > bytes_max:
        raise AnswerTooLong(f"the answer has more than {bytes_max} bytes")


def _read(response: httpx.Response, content: bytes) -> httpx.Response:
    kept = [(k, v) for k, v in response.headers.multi_items() if k.lower() not in _OF_THE_WAY]
    return httpx.Response(
        response.status_code, headers=kept, content=content, request=response.request
    )
