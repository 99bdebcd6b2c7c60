"""The load generator: `python -m bench.load`, in a process of its own.

It reads prepared requests from a file, keeps one under way on each of its connections, and
writes what it saw as JSON into a file beside: of megabytes in a pipe the end was once missing.
It knows just enough HTTP to find the end of an answer, so that it takes as little as possible of
the machine it shares with the hub.
"""

import asyncio
import sys
import time
from collections import deque
from pathlib import Path

import msgspec
import uvloop


class Job(msgspec.Struct, frozen=True):
    """What to send where: the first `warmups` requests are sent before the clock starts.

    Shape: each request carries `each` payments, and its answer has `proof` once for each of them,
           or `proofs` times in all.
    """

    port: int
    connections: int
    seconds: float
    warmups: int
    requests: list[bytes]
    each: int = 1
    proof: bytes = b""
    proofs: int = 0


class Heard(msgspec.Struct):
    """What came back. Units: seconds."""

    latencies: list[float]
    seconds: float
    refused: int
    cpu_seconds: float
    first_refusal: str = ""


def heard_file(job: Path) -> Path:
    """Give the file in which a load generator writes what it saw of a job."""
    return job.with_name(f"{job.name}.heard")


def read_heard(line: str, code: int | None) -> Heard:
    """Read what a load generator said, which has ended with `code` or not yet.

    Raises: RuntimeError that says what was read: one that was killed leaves part of a line.
    """
    try:
        return msgspec.json.decode(line, type=Heard)
    except msgspec.DecodeError as fault:
        raise RuntimeError(
            f"what the load generator said cannot be read: {fault}; it said {len(line)} characters,"
            f" the last {line[-60:]!r}, and its exit code is {code}; its own output says more"
        ) from None


class Connection(asyncio.Protocol):
    """One connection with one request under way at a time."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._heard = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready; the load says when to start."""
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def send(self) -> None:
        """Send the next request, if there is one and there is time."""
        request = self._load.next()
        if request is None:
            self._load.idle()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Go on when an answer is whole."""
        heard = self._heard + data if self._heard else data
        head = heard.find(b"\r\n\r\n")
        if head < 0 or len(heard) < head + 4 + _length(heard, head):
            self._heard = heard
            return
        self._heard = b""
        now = time.perf_counter()
        self._load.heard(heard, now - self._sent)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop: a measurement has no room for lost connections."""
        self._load.lost(exc)


def _length(heard: bytes, head: int) -> int:
    start = heard.lower().find(b"\r\ncontent-length:", 0, head)
    return int(heard[start + 17 : heard.find(b"\r\n", start + 17)]) if start >= 0 else 0


class Load:
    """Hands out requests and gathers what is heard."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._left = deque(job.requests[: job.warmups])
        self._until = float("inf")
        self._idle = 0
        self._all_idle = asyncio.Event()
        self._fault: Exception | None = None
        self.result = Heard([], 0, 0, 0)

    def next(self) -> bytes | None:
        """Give the next request."""
        if self._left and time.perf_counter() < self._until:
            return self._left.popleft()
        return None

    def heard(self, answer: bytes, seconds: float) -> None:
        """Note an answer."""
        self.result.latencies.append(seconds)
        job = self._job
        proved = not job.proof or answer.count(job.proof) == (job.proofs or job.each)
        if not answer.startswith(b"HTTP/1.1 200") or not proved:
            self.result.refused += 1
            if not self.result.first_refusal:
                self.result.first_refusal = answer.decode("latin-1")[:2000]

    def idle(self) -> None:
        """Note that a connection has nothing more to do."""
        self._idle += 1
        if self._idle == self._job.connections:
            self._all_idle.set()

    def lost(self, exc: Exception | None) -> None:
        """Note a connection that was lost before the end."""
        if not self._all_idle.is_set():
            self._fault = exc or ConnectionError("the hub hung up")
            self._all_idle.set()

    async def run(self) -> Heard:
        """Warm up, then measure."""
        loop = asyncio.get_running_loop()
        job = self._job
        opened = [
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", job.port)
            for _ in range(job.connections)
        ]
        connections = [connection for _, connection in opened]
        await self._round(connections)
        self.result = Heard([], 0, self.result.refused, 0, self.result.first_refusal)
        self._left = deque(job.requests[job.warmups :])
        started, cpu = time.perf_counter(), time.process_time()
        self._until = started + job.seconds
        await self._round(connections)
        self.result.seconds = time.perf_counter() - started
        self.result.cpu_seconds = time.process_time() - cpu
        return self.result

    async def _round(self, connections: list[Connection]) -> None:
        self._idle = 0
        self._all_idle.clear()
        print("go", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        for connection in connections:
            connection.send()
        await self._all_idle.wait()
        if self._fault is not None:
            raise self._fault


def main() -> None:
    """Run the job in the file named; before each round say `go` and wait for a line."""
    job = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Job)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        heard = runner.run(Load(job).run())
    heard_file(Path(sys.argv[1])).write_bytes(msgspec.json.encode(heard))


if __name__ == "__main__":
    main()
