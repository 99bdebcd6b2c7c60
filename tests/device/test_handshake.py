"""Whether an answer opens the WebSocket that was asked for."""

import hashlib
from base64 import b64encode

import httpx
import pytest

from farthing.device.bought_socket import Handshake
from farthing.errors import Unavailable

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def answer(asked: Handshake, **changes: str) -> httpx.Response:
    key = asked.fields["sec-websocket-key"].encode()
    right = b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest()).decode()
    fields = {"upgrade": "WebSocket", "connection": "keep-alive, Upgrade"}
    told = fields | {"sec-websocket-accept": right}
    told |= {name.replace("_", "-"): value for name, value in changes.items()}
    return httpx.Response(101, headers={name: value for name, value in told.items() if value})


def test_an_answer_to_what_was_asked_opens_it():
    asked = Handshake()
    asked.require_opened(answer(asked))


@pytest.mark.parametrize(
    "changes",
    [
        {"sec_websocket_accept": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"sec_websocket_accept": ""},
        {"sec_websocket_extensions": "permessage-deflate"},
        {"upgrade": ""},
        {"upgrade": "h2c"},
        {"connection": ""},
        {"connection": "close"},
    ],
)
def test_an_answer_to_something_else_opens_nothing(changes: dict[str, str]):
    asked = Handshake()
    with pytest.raises(Unavailable) as refused:
        asked.require_opened(answer(asked, **changes))
    assert refused.value.code == "no-socket"
