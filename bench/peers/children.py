"""Processes of the peers: started, waited for with an end, and ended by their own ids."""

import contextlib
import os
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from bench.figures import Figure, median_run, percentile
from bench.load import Heard, read_heard
from bench.peers.base import Asked, PeerMissing
from bench.peers.places import ROOT
from bench.processes import free_port

_START_SECONDS = 90.0
_END_SECONDS = 10.0
_MARGIN_SECONDS = 120.0
"""What preparing and the last answers may take beside the seconds that are measured."""


class Child:
    """A process with its output kept. Shape: lines come by `line`; `log` is where the rest goes."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        folder: Path = ROOT,
        talks: bool = False,
    ) -> None:
        self._log = log
        with log.open("ab") as kept:
            self.started = subprocess.Popen(
                command, cwd=folder, env=_environment(env), stderr=kept,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else kept, text=talks,
            )  # fmt: skip
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        if talks:
            threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.started.stdout
        for line in self.started.stdout:
            self._lines.put(line.rstrip("\n") or " ")
        self._lines.put("")

    def line(self, seconds: float) -> str:
        """Wait for the next line.

        Raises: PeerMissing when there is none in time.
        """
        try:
            said = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise PeerMissing(
                f"nothing was said for {seconds:.0f} s; {self.last_words()}"
            ) from None
        if not said:
            raise PeerMissing(self.last_words())
        return said

    def hear(self, beginning: str, seconds: float) -> str:
        """Wait for a line that begins so; libraries have their own to say in between.

        Raises: PeerMissing when there is none in time.
        """
        until = time.monotonic() + seconds
        while not (said := self.line(max(0.0, until - time.monotonic()))).startswith(beginning):
            pass
        return said

    def go_on(self) -> None:
        """Let a child that said `go` go on."""
        assert self.started.stdin
        self.started.stdin.write("\n")
        self.started.stdin.flush()

    def await_port(self, port: int) -> None:
        """Wait until it listens.

        Raises: PeerMissing.
        """
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self.started.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.1)
        raise PeerMissing(f"did not start; {self.last_words()}")

    def last_words(self) -> str:
        """Give the last line of what it complained of."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f"last words: {lines[-1][:300]}" if lines else "it said nothing"

    def end(self) -> None:
        """End it and what it started, each by its id; first asking, then not."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.started.pid)
            every = [*process.children(recursive=True), process]
            for one in every:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.terminate()
            for one in psutil.wait_procs(every, _END_SECONDS)[1]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.started.wait(_END_SECONDS)


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_proxy")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **(more or {})}


@contextlib.contextmanager
def serving(
    command: Sequence[str],
    port: int,
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    folder: Path = ROOT,
) -> Iterator[Child]:
    """Run a server until the end of the block.

    Raises: PeerMissing when it does not listen in time.
    """
    try:
        child = Child(command, log, env=env, folder=folder)
    except OSError as fault:
        raise PeerMissing(str(fault)) from None
    try:
        child.await_port(port)
        yield child
    finally:
        child.end()


def begun_anew(asked: Asked, name: str) -> Iterator[tuple[int, Path, int]]:
    """Give a folder of its own and a free port for each count of clients.

    Shape: for servers that begin anew for each of them, as what they keep makes them slower.
    """
    for clients in asked.clients:
        folder = asked.folder / f"{name}-{clients}"
        folder.mkdir()
        yield clients, folder, free_port()


def paid(
    name: str,
    engine: str,
    payer: Sequence[str],
    servers: Sequence[Child],
    log: Path,
    *,
    seconds: float,
    runs: int,
    env: Mapping[str, str] | None = None,
) -> Figure:
    """Let a payer pay some times, and give the run in the middle.

    Raises: PeerMissing.
    """
    made: list[Figure] = []
    for _ in range(runs):
        heard, used = _heard(Child(payer, log, env=env, talks=True), servers, seconds)
        made.append(_figure(name, engine, heard, used, servers))
    return median_run(made)


def _heard(child: Child, servers: Sequence[Child], seconds: float) -> tuple[Heard, float]:
    """Let a payer pay once; give what it says, and the CPU seconds of the servers meanwhile."""
    try:
        child.hear("go", _MARGIN_SECONDS)
        before = _cpu_seconds(servers)
        child.go_on()
        said = child.hear("{", seconds + _MARGIN_SECONDS)
        return read_heard(said, child.started.poll()), _cpu_seconds(servers) - before
    except RuntimeError as fault:
        raise PeerMissing(f"{fault}; {child.last_words()}") from None
    finally:
        child.end()


def _figure(name: str, engine: str, heard: Heard, used: float, servers: Sequence[Child]) -> Figure:
    counted = len(heard.latencies)
    if not counted:
        raise PeerMissing(f"nothing was paid; the first refusal: {heard.first_refusal[:300]}")
    latencies = sorted(heard.latencies)
    return Figure(
        name=name,
        engine=engine,
        rate_per_s=round(counted / heard.seconds, 1),
        p50_ms=round(percentile(latencies, 0.5) * 1000, 2),
        p99_ms=round(percentile(latencies, 0.99) * 1000, 2),
        cpu_us_each=round(used / counted * 1e6, 1),
        load_cpu_us_each=round(heard.cpu_seconds / counted * 1e6, 1),
        counted=counted,
        refused=heard.refused,
        resident_mib=round(sum(p.memory_info().rss for p in _family(servers)) / 2**20, 1),
    )


def _family(servers: Sequence[Child]) -> list[psutil.Process]:
    family: list[psutil.Process] = []
    for server in servers:
        process = psutil.Process(server.started.pid)
        family += [process, *process.children(recursive=True)]
    return family


def _cpu_seconds(servers: Sequence[Child]) -> float:
    times = [process.cpu_times() for process in _family(servers)]
    return sum(spent.user + spent.system for spent in times)
