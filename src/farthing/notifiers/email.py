"""Notices by e-mail, to a server of the operator's (SMTP submission), stopped by one click.

Source: RFC 5322; RFC 6409; RFC 8058 (one-click unsubscribe). Needs `farthing[notices]`.
"""

import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, formataddr

from farthing.clock import NS, Clock, system_clock
from farthing.core.addresses import check_place
from farthing.errors import PlugMissing
from farthing.notifiers.base import Notice, Posted, Text

try:
    import aiosmtplib
except ImportError as missing:
    raise PlugMissing("notices-missing", "run: pip install 'farthing[notices]'") from missing

_GONE = (550, 551, 553)
"""Answers of a server that knows no such mailbox: nothing more is sent there."""

_LINES = policy.SMTP.clone(max_line_length=998, cte_type="7bit")
"""A link that is broken, or written as an encoded word, is none to a mail program (RFC 5322, 2.1.1;
RFC 2047, 5)."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in. Shape: `security` is `tls`, `starttls`, or `none` for loopback."""

    host: str
    port: int = 587
    security: str = "starttls"
    user: str = ""
    password: str = ""
    sender: str = "farthing@localhost"
    seconds: float = 20.0
    trust: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """One notice to one mailbox. Shape: `ident` is the same however often it is sent."""

    ident: str
    to: str
    text: Text
    stop_url: str = ""
    language: str = "en"
    open_url: str = ""


def message_of(letter: Letter, sender: str, now_s: int) -> EmailMessage:
    """Write the mail. Units: `now_s` is in Unix seconds.

    Raises: ValueError for an address with a line break in it.
    """
    text, message = letter.text, EmailMessage(_LINES)
    message["From"] = formataddr(("Farthing", sender))
    message["To"] = letter.to
    message["Subject"] = text.title
    message["Date"] = format_datetime(datetime.fromtimestamp(now_s, UTC))
    message["Message-ID"] = f"<{letter.ident}@{sender.rpartition('@')[2]}>"
    if letter.stop_url:
        message["List-Unsubscribe"] = f"<{letter.stop_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Auto-Submitted"] = "auto-generated"
    opens = f"\n{letter.open_url}\n" if letter.open_url else ""
    message.set_content(f"{text.body}\n{opens}\n--\n{text.why}\n{text.stop}\n")
    message["Content-Language"] = letter.language
    return message


class Mail:
    """E-mail as a way of telling somebody."""

    def __init__(self, server: Server, clock: Clock = system_clock) -> None:
        self._server, self._clock = server, clock

    def check(self, place: str, keys: str) -> None:  # noqa: ARG002
        """Look at a mailbox. Raises: Malformed `malformed-address`."""
        check_place("email", place)

    async def tell(self, place: str, keys: str, notice: Notice) -> Posted:  # noqa: ARG002
        """Hand one mail in."""
        letter = Letter(
            notice.ident, place, notice.text, notice.stop_url, notice.language, notice.open_url
        )
        return await send(self._server, letter, self._clock() // NS)

    async def close(self) -> None:
        """Hold nothing."""


async def send(server: Server, letter: Letter, now_s: int) -> Posted:
    """Hand one mail in, and tell what became of it; a refused mailbox is gone for good."""
    began = time.monotonic()
    status, fault = 250, ""
    try:
        await aiosmtplib.send(
            message_of(letter, server.sender, now_s).as_bytes(),
            sender=server.sender,
            recipients=[letter.to],
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            username=server.user or None,
            password=server.password or None,
            timeout=server.seconds,
            tls_context=server.trust,
        )
    except aiosmtplib.SMTPRecipientsRefused as refused:
        status, fault = refused.recipients[0].code, "refused"
    except aiosmtplib.SMTPResponseException as refused:
        status, fault = refused.code, "refused"
    except ValueError:
        status, fault = 0, "malformed-address"
    except (aiosmtplib.SMTPException, OSError):
        status, fault = 0, "unreachable"
    if status in _GONE:
        status = 410  # As every way says that nobody is there any more.
    return Posted(status, fault, round((time.monotonic() - began) * 1000))
