"""The hub and the load generator as processes of their own, as in real life."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import psutil

from bench.engines import commits_made, config_file
from bench.figures import Figure, percentile
from bench.load import Heard, Job, heard_file, read_heard
from farthing.settings import Config

PATIENCE_SECONDS = 60


@contextlib.contextmanager
def server(command: Sequence[str], port: int) -> Iterator[psutil.Process]:
    """Start a hub, wait until it listens, and stop it as an operator would."""
    started = subprocess.Popen([sys.executable, *command])
    try:
        _await_port(port, started)
        yield psutil.Process(started.pid)
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            started.kill()


@contextlib.contextmanager
def hub_of(config: Config) -> Iterator[tuple[psutil.Process, int]]:
    """Run `farthing serve` on a free port."""
    port = free_port()
    command = ["-m", "farthing", "serve", "--config", str(config_file(config))]
    with server([*command, "--port", str(port)], port) as hub:
        yield hub, port


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _await_port(port: int, started: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and started.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("the hub did not start; its own output says why")


def measure(
    config: Config,
    hub: psutil.Process,
    job: Job,
    name: str,
    *,
    units_each: int = 1,
    begun: Callable[[], object] = lambda: None,
) -> Figure:
    """Run a job against a hub, and put together what both processes say.

    Shape: each payment takes `units_each` units, which may be in one commit or in several; `begun`
           is called when what is measured begins, and must not wait.
    """
    file = config.path("job")
    file.write_bytes(msgspec.msgpack.encode(job))
    cpu = [0.0, 0.0]
    commits = [0, 0]

    def note(place: int) -> None:
        cpu[place], commits[place] = _cpu_seconds(hub), commits_made(config)

    def before() -> None:
        note(0)
        begun()

    heard = run_load([sys.executable, "-m", "bench.load", str(file)], heard_file(file), before)
    note(1)
    if heard.refused:
        raise RuntimeError(f"{name}: {heard.refused} refused; the first:\n{heard.first_refusal}")
    counted = len(heard.latencies) * job.each
    latencies = sorted(heard.latencies)
    made = commits[1] - commits[0]
    return Figure(
        name=name,
        engine=config.books.engine,
        rate_per_s=round(counted / heard.seconds, 1),
        p50_ms=round(percentile(latencies, 0.5) * 1000, 2),
        p99_ms=round(percentile(latencies, 0.99) * 1000, 2),
        cpu_us_each=round((cpu[1] - cpu[0]) / counted * 1e6, 1),
        load_cpu_us_each=round(heard.cpu_seconds / counted * 1e6, 1),
        counted=counted,
        commits=made,
        per_commit=round(counted * units_each / max(1, made), 1),
        resident_mib=round(resident_bytes(hub) / 2**20, 1),
    )


def _with_children(hub: psutil.Process) -> list[psutil.Process]:
    return [hub, *hub.children(recursive=True)]


def _cpu_seconds(hub: psutil.Process) -> float:
    times = [one.cpu_times() for one in _with_children(hub)]
    return sum(each.user + each.system for each in times)


def resident_bytes(hub: psutil.Process) -> int:
    """Tell how much memory a hub has, and the process that writes beside it."""
    return sum(one.memory_info().rss for one in _with_children(hub))


def run_load(command: Sequence[str], heard: Path, before: Callable[[], None]) -> Heard:
    """Run a load generator, which writes a file of what it heard: let it warm up, then measure.

    Raises: RuntimeError when it fails.
    """
    heard.write_bytes(b"")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as load:
        assert load.stdin and load.stdout
        for is_measured in (False, True):
            if load.stdout.readline().strip() != "go":
                raise RuntimeError("the load generator failed; its own output says why")
            if is_measured:
                before()
            load.stdin.write("\n")
            load.stdin.flush()
    return read_heard(heard.read_text(), load.returncode)
