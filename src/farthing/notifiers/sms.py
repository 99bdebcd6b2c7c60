"""Notices as text messages, handed in at a message centre (SMPP 3.4) of the operator's.

Source: SMPP 3.4, 4.4 (`submit_sm`), 5.1.3 (`command_status`). Needs `farthing[notices]`.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Sequence
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
PARTS_MAX = 3
"""What is longer is read on the page."""
_PLAIN = str.maketrans(
    {"→": "->", "“": '"', "”": '"', "„": '"', "…": "...", "\u2013": "-", "`": "'"}
)
"""Signs that the alphabet of text messages has not: one of them would halve what fits in a part."""
_SINGLE = str.maketrans(
    {"[": "(", "]": ")", "{": "(", "}": ")", "~": "-", "^": "'", "|": "/", "\\": "/", "€": "EUR"}
)
"""Signs that the alphabet has as two, which may be torn between two parts; links have none of them
that they could do without.
"""
_WIDE = 0xFFFF


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
    """Write a notice as a text message: what happened, where to answer, why it came and how to stop
    its like.

    Shape: three parts at most: why it came is left out where there is no room, and what happened is
           cut where it is long; the links are whole. It is written in the alphabet of text messages
           where that has all of its signs, and without those that none of the others has.
    """
    told, last = _plain(notice.text.body).translate(_SINGLE), [notice.short_url, notice.text.stop]
    for ending in ([notice.short_url, notice.text.why, notice.text.stop], last):
        whole = _message(notice, told, ending)
        if _fits(whole):
            return whole
    low, high = 0, len(told)
    while low < high:  # As much of it as there is room for.
        middle = (low + high + 1) // 2
        cut = _message(notice, f"{told[:middle].rstrip()}...", last)
        low, high = (middle, high) if _fits(cut) else (low, middle - 1)
    return _message(notice, f"{told[:low].rstrip()}...", last)


def _message(notice: Notice, body: str, last: Sequence[str]) -> str:
    ends = "\n".join(_plain(part) for part in last if part)
    return f"{_plain(notice.text.title)}: {body}\n{ends}"


def _plain(text: str) -> str:
    """Write it with signs of one unit each: a wider one could be torn between two parts."""
    return "".join(sign for sign in text.translate(_PLAIN) if ord(sign) <= _WIDE)


def _fits(text: str) -> bool:
    library: Any = gsm
    return len(library.make_parts(text)[0]) <= PARTS_MAX


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
