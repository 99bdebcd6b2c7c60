"""A real SMTP server on this machine, and what was handed in there."""

import contextlib
import email
import email.policy

from aiosmtpd.controller import Controller

from farthing.notifiers.email import Server
from tests.ports import free_port


class Mailbox:
    """What was handed in. Shape: `answer` is what the server says to a recipient."""

    def __init__(self) -> None:
        self.got, self.answer = [], "250 OK"

    @property
    def mails(self):
        """What came, as mail."""
        return [email.message_from_bytes(raw, policy=email.policy.default) for _, raw in self.got]

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - its own
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - its own
        self.got.append((envelope.rcpt_tos, envelope.content))
        return "250 kept"


@contextlib.contextmanager
def receiving_mail():
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield box, Server("127.0.0.1", controller.port, "none", sender="hub@hub.example")
    finally:
        controller.stop()
