"""A whole answer is sent as it ends: nobody waits for what the app puts in order after it."""

from typing import Any

import pytest

from farthing.web.door import guarded
from farthing.web.guard import Guard

from .wire import connected, settled


@pytest.mark.parametrize("length", [b"6", None])
async def test_an_answer_is_on_its_way_before_the_app_goes_on(length):
    sent = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [] if length is None else [(b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        sent.append(wire.written)
        await send({"type": "http.response.body", "body": b"ho"})
        sent.append(wire.written)

    protocol, wire = connected(guarded(Guard()), app)
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    await settled(protocol)
    before, after = sent
    assert before == b""
    assert after.startswith(b"HTTP/1.1 200 OK\r\n")
    assert after.endswith(b"halfho" if length else b"2\r\nho\r\n0\r\n\r\n")
    assert wire.written == after
