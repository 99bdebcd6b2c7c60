"""A WebSocket that is paid for as it opens: its handshake is shown to a paid run as an answer.

The head 101 decides about the money as any other does, and leaves with the receipt. What the
socket carries after that is no part of an answer, and passes as it is.
"""

from typing import Any

from farthing.web.asgi import App, Message, Receive, Scope, Send
from farthing.web.paid_run import AnswerStopped

SWITCHING = 101
DENIAL = "websocket.http.response"
"""The extension by which a server lets an app answer a handshake with more than 403."""


class PaidSocket:
    """One handshake, between an app and a client that know WebSockets and who knows answers.

    Shape: `app` runs the app given, telling of it as of an answer; `send` takes an answer.
    """

    def __init__(self, app: App, scope: Scope, send: Send) -> None:
        self._app, self._client_send = app, send
        self._tells = DENIAL in (scope.get("extensions") or {})
        self._accept: Message = {}
        self._open = False

    async def app(self, scope: Scope, receive: Receive, answer: Send) -> None:
        """Run the app; once its socket is open, only a fault of its own breaks it off."""
        self._answer = answer
        try:
            given: Scope = {**scope, "extensions": {DENIAL: {}}}
            await self._app(given, receive, self._from_app)
        except AnswerStopped:
            if not self._open:
                raise
        if self._open:
            await answer({"type": "http.response.body", "body": b"", "more_body": False})

    async def _from_app(self, message: Message) -> None:
        kind = message["type"]
        if self._open:
            await self._pass(message)
        elif kind == "websocket.accept":
            self._accept = message
            await self._answer(_head(SWITCHING, message.get("headers", [])))
        elif kind == "websocket.close":
            await self._answer(_head(403, []))
            await self._answer({"type": "http.response.body", "body": b""})
        elif kind == f"{DENIAL}.start" and message["status"] >= 200:
            await self._answer(_head(message["status"], message.get("headers", [])))
        elif kind == f"{DENIAL}.body":
            await self._answer({**message, "type": "http.response.body"})
        else:
            raise RuntimeError(f"{kind} is no answer to a handshake")

    async def send(self, message: Message) -> None:
        """Pass an answer on as that to the handshake; where the socket opens, its head alone."""
        if self._open:
            return
        if message["type"] == "http.response.start" and message["status"] == SWITCHING:
            self._open = True
            await self._client_send({**self._accept, "headers": message["headers"]})
        elif self._tells:
            kind = message["type"].removeprefix("http.response")
            await self._client_send({**message, "type": DENIAL + kind})
        elif message["type"] == "http.response.start":
            await self._client_send({"type": "websocket.close", "code": 1008, "reason": "refused"})

    async def _pass(self, message: Message) -> None:
        """Pass on what the socket carries.

        Raises: AnswerStopped when the client is gone: that is no fault of the app.
        """
        try:
            await self._client_send(message)
        except OSError:
            raise AnswerStopped from None


def _head(status: int, headers: Any) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}
