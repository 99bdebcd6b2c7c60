"""A real HTTP server on this machine that gets messages, and answers as a test says."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Got:
    """One message as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    @property
    def subject(self) -> str:
        return self.told["data"]["subject"]


Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Receiver:
    """What was received, in order. Shape: `answers` says what to answer, 200 unless it is set."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answers: Callable[[Got], int | Answer] = lambda _got: 200

    def subjects(self) -> list[str]:
        """Name what the messages are about, each once, in the order of their first coming."""
        return list(dict.fromkeys(one.subject for one in self.got))


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive until the end of the block."""
    receiver, lock = Receiver(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            got = Got(self.path, headers, body)
            with lock:
                receiver.got.append(got)
            told = receiver.answers(got)
            status, fields, text = (told, {}, b"") if isinstance(told, int) else told
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in {"content-length": str(len(text)), **fields}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_given: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
