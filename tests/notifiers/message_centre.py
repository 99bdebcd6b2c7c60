"""A real message centre on this machine: it speaks SMPP 3.4 and keeps what is handed in.

Written from the standard, and not with the library that hands in. Source: SMPP 3.4, 3.2 and 4.
"""

import contextlib
import socketserver
import struct
import threading

_BIND, _SUBMIT, _UNBIND, _ANSWER = 0x02, 0x04, 0x06, 0x80000000


class MessageCentre:
    """What was handed in. Shape: `status` is what the next messages are answered."""

    def __init__(self) -> None:
        self.port, self.got, self.bound, self.status, self.password = 0, [], [], 0, "secret"

    def answer(self, command: int, body: bytes) -> tuple[int, bytes]:
        """Give the status and the body of an answer."""
        if command == _BIND:
            system, password = body.split(b"\0")[:2]
            self.bound.append(system.decode())
            return (0 if password.decode() == self.password else 0x0E), b"centre\0"
        if command == _SUBMIT:
            if not self.status:
                self.got.append(_message(body))
            return self.status, b"" if self.status else b"id1\0"
        return 0, b""


def _message(body: bytes) -> tuple[str, str, str]:
    """Read sender, number and text. Source: 4.4.1, "submit_sm"."""
    _service, rest = body.split(b"\0", 1)
    sender, rest = rest[2:].split(b"\0", 1)
    number, rest = rest[2:].split(b"\0", 1)
    kind, rest = rest[0], rest[3:]
    _at, _until, rest = rest.split(b"\0", 2)
    coding, length = rest[2], rest[4]
    text = rest[5 : 5 + length]
    if kind & 0x40:  # A header says which part of a longer one it is.
        text = text[1 + text[0] :]
    return sender.decode(), number.decode(), text.decode("utf-16-be" if coding == 8 else "latin-1")


@contextlib.contextmanager
def centre():
    """Take messages until the end of the block."""
    kept = MessageCentre()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while head := self.rfile.read(16):
                length, command, _, sequence = struct.unpack(">4L", head)
                status, body = kept.answer(command, self.rfile.read(length - 16))
                told = struct.pack(">4L", 16 + len(body), command | _ANSWER, status, sequence)
                self.wfile.write(told + body)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        kept.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()
