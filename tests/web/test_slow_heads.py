"""Connections whose next request never comes, or never ends its head."""

import asyncio

import pytest

from farthing.web.guard import Guard
from farthing.web.strict_http import StrictHttp

from .shop import Counter, raw, serving


class Hasty(StrictHttp):
    """The same protocol, with less patience."""

    guard = Guard(stall_seconds=0.2)


def send(request: bytes, app=None) -> bytes:
    async def story():
        async with serving(app or Counter(), http=Hasty) as url:
            return await raw(url, request, seconds=3)

    return asyncio.run(story())


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: shop\r\nX: "])
def test_a_head_that_is_not_finished_in_time_is_answered_408_and_the_connection_closed(begun):
    answer = send(begun)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"head-too-slow" in answer


def test_an_answer_that_takes_longer_than_a_head_may_is_awaited():
    async def slowly(_scope, receive, send):
        await receive()
        await asyncio.sleep(0.6)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"at last"})

    whole = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
    answer = send(whole, slowly)
    assert answer.startswith(b"HTTP/1.1 200 ")
    first, _, rest = answer.partition(b"at last")
    assert b"408" not in first
    assert b"head-too-slow" in rest


def test_a_blank_line_after_an_answer_does_not_hold_the_connection():
    answer = send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"head-too-slow" in answer
