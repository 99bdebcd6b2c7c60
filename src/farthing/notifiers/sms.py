"""Notices as text messages, handed in at a message centre (SMPP 3.4) of the operator's.

Source: SMPP 3.4, 4.4 (`submit_sm`), 5.1.3 (`command_status`). Needs `farthing[notices]`.
"""

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass
from typing import Any

from farthing.core.addresses import check_place
from farthing.errors import PlugMissing
from farthing.notifiers.base import Notice, Posted

try:
    from smpplib import consts, exceptions, gsm  # pyright: ignore[reportMissingTypeStubs]
    from smpplib.client import Client  # pyright: ignore[reportMissingTypeStubs]
except ImportError as missing:
    raise PlugMissing("notices-missing", "run: pip install 'farthing[notices]'") from missing

_GONE = (0x0B,)
"""ESME_RINVDSTADR: there is no such number."""
_BUSY = (0x14, 0x58)
"""ESME_RMSGQFUL and ESME_RTHROTTLED: another time."""
_CHARACTERS_MAX = 440
"""Three parts of a message. What is longer is read on the page."""


@dataclass(frozen=True, slots=True)
class Centre:
    """Where text messages are handed in. Shape: with `tls` the connection is secured."""

    host: str
    port: int = 2775
    user: str = ""
    password: str = ""
    sender: str = "Farthing"
    tls: bool = False
    seconds: int = 10


def text_of(notice: Notice) -> str:
    """Write a notice as a text message: what happened, where to answer, and how to stop its like.

    Shape: what happened is cut where it is long; the links are whole.
    """
    text = notice.text
    last = "\n".join(part for part in (notice.short_url, text.stop or text.why) if part)
    room = _CHARACTERS_MAX - len(last) - len(text.title) - len(": \n...")
    body = text.body if len(text.body) <= room else f"{text.body[: max(room, 0)].rstrip()}..."
    return f"{text.title}: {body}\n{last}"


class TextMessages:
    """Text messages as a way of telling somebody."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre

    def check(self, place: str, keys: str) -> None:  # noqa: ARG002
        """Look at a number. Raises: Malformed `malformed-address`."""
        check_place("sms", place)

    async def tell(self, place: str, keys: str, notice: Notice) -> Posted:  # noqa: ARG002
        """Hand one message in, all of its parts."""
        began = time.monotonic()
        status, fault = await asyncio.to_thread(self._handed_in, place, text_of(notice))
        return Posted(status, fault, round((time.monotonic() - began) * 1000))

    async def close(self) -> None:
        """Hold nothing."""

    def _handed_in(self, number: str, text: str) -> tuple[int, str]:
        """Give a status and a word: 410 where there is no such number."""
        centre = self._centre
        context = ssl.create_default_context() if centre.tls else None
        client: Any = Client(
            centre.host,
            centre.port,
            timeout=centre.seconds,
            ssl_context=context,
            allow_unknown_opt_params=True,
        )
        try:
            client.connect()
            client.bind_transmitter(system_id=centre.user, password=centre.password)
            told = _submitted(client, centre.sender, number, text)
            with contextlib.suppress(exceptions.ConnectionError, exceptions.PDUError, OSError):
                client.unbind()  # What was handed in is handed in, whatever comes of this.
            return told
        except (exceptions.ConnectionError, OSError):
            return 0, "unreachable"
        except exceptions.PDUError:
            return 403, "refused"
        finally:
            with contextlib.suppress(exceptions.ConnectionError, exceptions.PDUError, OSError):
                client.disconnect()


def _submitted(client: Any, sender: str, number: str, text: str) -> tuple[int, str]:
    library: Any = gsm
    parts, coding, kind = library.make_parts(text)
    for part in parts:
        client.send_message(
            source_addr_ton=consts.SMPP_TON_ALNUM,
            source_addr=sender,
            dest_addr_ton=consts.SMPP_TON_INTL,
            dest_addr_npi=consts.SMPP_NPI_ISDN,
            destination_addr=number.removeprefix("+"),
            short_message=part,
            data_coding=coding,
            esm_class=kind,
        )
        answer = client.read_pdu()
        if answer.status:
            return _status(answer.status), "refused"
    return 200, ""


def _status(code: int) -> int:
    if code in _GONE:
        return 410
    return 429 if code in _BUSY else 400
