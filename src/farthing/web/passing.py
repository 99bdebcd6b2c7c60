"""Passing an answer on, and telling who watches when it begins."""

from farthing.services.watch import Seen
from farthing.web.asgi import Message, Send


def telling(send: Send, seen: Seen) -> Send:
    """Send on, and tell when an answer's head leaves."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            seen.answered(message["status"])
        await send(message)

    return sent
