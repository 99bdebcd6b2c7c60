"""`farthing doctor`: what is wrong here, what may go wrong, and what to do about it."""

import os
import shutil
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import typer
from cryptography import x509

from farthing.app import key_ring, open_to_read, passphrase_of
from farthing.cli.configuring import found_faults
from farthing.cli.options import ConfigOption
from farthing.cli.serving import check_exposure
from farthing.cli.tls import tls_context
from farthing.clock import NS
from farthing.config import Config, config_file, load_config
from farthing.device.purse import default_path, is_purse, open_purse
from farthing.errors import FarthingError
from farthing.services.heads import HeadsFile
from farthing.sockets import is_running
from farthing.store.migrate import migrations
from farthing.terminal.exits import Exit
from farthing.terminal.frame import Answer
from farthing.terminal.tables import columns
from farthing.web.price_file import read_prices

State = Literal["ok", "warn", "fail"]
_MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}
_FREE_BYTES_MIN = 1 << 30
_SYNC_MS_MIN = 0.02
_CERTIFICATE_DAYS_MIN = 14
_FILES_MIN = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found: how it stands, what was seen, and what to do."""

    what: str
    state: State
    seen: str
    do: str = ""


Look = Callable[[Config], Iterator[Finding]]


def doctor(
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody, not even our hub.")
    ] = False,
    prices: Annotated[Path | None, typer.Option(help="A price file to look at too.")] = None,
    config: ConfigOption = None,
) -> Answer:
    """Look at everything a hub stands on, and say what to do where it is not right.

    Exits with 6 if something must be mended. Nothing is changed, and nobody outside is asked.

    Example: farthing doctor --offline --prices prices.toml
    """
    path = config_file(config, os.environ)
    faults = list(found_faults(path, os.environ))
    found = [Finding("configuration", "fail", fault, "mend it first") for fault in faults]
    if not faults:
        loaded = load_config(config)
        looks: list[Look] = [
            _python,
            _clock,
            _limits,
            _keys,
            _disk,
            _books,
            _heads,
            _public,
            _purse,
        ]
        looks += [] if offline else [_hub]
        for look in looks:
            found += _safely(look, loaded)
        if prices is not None:
            found += _safely(lambda c: _prices(c, prices), loaded)
    worst = Exit.NOT_VALID if any(f.state == "fail" for f in found) else Exit.OK
    return Answer([asdict(f) for f in found], _lines, worst)


def _lines(found: list[dict[str, Any]]) -> Iterator[str]:
    rows = ((f"{_MARKS[f['state']]} {f['state']}", f["what"], f["seen"]) for f in found)
    for line, f in zip(columns(rows), found, strict=True):
        yield line
        if f["do"] and f["state"] != "ok":
            yield f"        → {f['do']}"


def _safely(look: Look, config: Config) -> list[Finding]:
    """Look; what keeps us from looking is a finding too."""
    try:
        return list(look(config))
    except FarthingError as error:
        hint = str(error.problem().get("hint", ""))
        return [Finding(look.__name__.strip("_"), "fail", error.detail, hint)]
    except OSError as fault:
        seen = f"{fault.filename or ''}: {fault.strerror or fault}"
        return [Finding(look.__name__.strip("_"), "fail", seen, "check that it exists and is ours")]


def _python(_config: Config) -> Iterator[Finding]:
    told = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding("python", "ok", told)


def _clock(config: Config) -> Iterator[Finding]:
    """The book's time never goes back: a clock behind the newest commit stops every payment."""
    now = time.time_ns()
    newest = HeadsFile(config.path(config.audit.heads_path)).newest()
    ahead = (newest.time_ns - now) / NS if newest else 0
    if ahead > 1:
        do = "set the clock right (timedatectl, chrony) before the hub is started"
        yield Finding("clock", "fail", f"{ahead:.0f} s behind the newest commit", do)
        return
    yield Finding("clock", "ok", datetime.fromtimestamp(now / NS, UTC).isoformat()[:19] + "Z")


def _limits(_config: Config) -> Iterator[Finding]:
    import resource  # noqa: PLC0415 - not on every system

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FILES_MIN:
        do = f"raise it to {_FILES_MIN} or more: ulimit -n, or LimitNOFILE= in the unit"
        yield Finding("open files", "warn", f"at most {soft}", do)
    else:
        yield Finding("open files", "ok", f"at most {soft}")


def _keys(config: Config) -> Iterator[Finding]:
    ring = key_ring(config)
    if not ring.exists:
        yield Finding("keys", "fail", f"there are none in {ring.folder}", "run: farthing init")
        return
    opened = [p for p in (ring.folder, *sorted(ring.folder.glob("*.key"))) if _mode(p) & 0o077]
    for path in opened:
        seen = f"{path} is open to others ({_mode(path):o})"
        yield Finding("keys", "fail", seen, f"run: chmod go-rwx {path}")
    if opened:
        return
    if ring.protected and passphrase_of(config).told() is None:
        yield Finding("keys", "ok", "under a passphrase, which was not told to this command")
        return
    for read in (ring.root_public, ring.signing, ring.challenge_secrets):
        read()
    if ring.root_is_here:
        ring.root()
    root = "here" if ring.root_is_here else "kept elsewhere"
    sealed = "under a passphrase" if ring.protected else "without a passphrase"
    yield Finding("keys", "ok", f"signing and challenge keys can be read, {sealed}; root {root}")


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _disk(config: Config) -> Iterator[Finding]:
    folder = config.path(config.books.path).parent
    free = shutil.disk_usage(folder).free
    state: State = "ok" if free >= _FREE_BYTES_MIN else "warn"
    do = "free some room: without it payments stop, and nothing is lost"
    yield Finding("disk", state, f"{free / 1e9:.1f} GB free at {folder}", do)
    took = _sync_ms(folder)
    if took < _SYNC_MS_MIN:
        do = "use a disk that honours fsync: this one, or a cache before it, does not seem to"
        yield Finding("disk sync", "warn", f"{took:.3f} ms, too fast to be true", do)
    else:
        yield Finding("disk sync", "ok", f"{took:.2f} ms a commit (median of 9)")


def _sync_ms(folder: Path) -> float:
    with tempfile.TemporaryFile(dir=folder) as file:
        taken: list[float] = []
        for _ in range(9):
            file.write(b"\0" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def _books(config: Config) -> Iterator[Finding]:
    with ThreadPoolExecutor(1) as readers:
        database = open_to_read(config, readers)
        try:

            def ask(sql: str) -> Any:
                return next(iter(database.stream(sql)))[0]

            schema, known = ask("SELECT max(number) FROM migrations"), migrations()[-1][0]
            if schema > known:
                do = "upgrade this software: it is older than the books"
                yield Finding("books", "fail", f"schema {schema}, and {known} is known", do)
            else:
                later = "" if schema == known else f", {known} at the next start"
                yield Finding("books", "ok", f"schema {schema}{later}")
            yield from _sqlite(ask) if database.dialect == "sqlite" else _postgresql(ask)
        finally:
            database.close()


def _sqlite(ask: Callable[[str], Any]) -> Iterator[Finding]:
    whole = ask("PRAGMA quick_check")
    do = "stop the hub, keep a copy of the file, and put a backup back: farthing restore"
    yield Finding("books' pages", "ok" if whole == "ok" else "fail", str(whole), do)


def _postgresql(ask: Callable[[str], Any]) -> Iterator[Finding]:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        value = str(ask(f"SELECT current_setting('{setting}')"))
        state: State = "fail" if value == "off" else "ok"
        yield Finding(f"postgresql {setting}", state, value, f"set {setting} = on")
    at = ask("SELECT coalesce(host(inet_server_addr()), '')")
    tls = ask("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    private = tls or at in ("", "127.0.0.1", "::1")
    seen = f"to {at or 'its socket'}, {'with' if tls else 'without'} TLS"
    do = "take sslmode out of [books] dsn, or set it to verify-full"
    yield Finding("postgresql connection", "ok" if private else "warn", seen, do)


def _heads(config: Config) -> Iterator[Finding]:
    heads = config.path(config.audit.heads_path)
    newest = HeadsFile(heads).newest()
    seen = f"newest is commit {newest.number}" if newest else "none yet"
    books = config.path(config.books.path)
    on_same = config.books.engine == "sqlite" and _device_of(heads) == _device_of(books)
    do = "put [audit] heads_path on another disk: who loses one disk then still has the other"
    yield Finding("heads", "warn" if on_same else "ok", f"{seen}, in {heads}", do)


def _device_of(path: Path) -> int:
    return (path if path.exists() else path.parent).stat().st_dev


def _public(config: Config) -> Iterator[Finding]:
    server = config.server
    check_exposure(config)
    if not server.tls_cert:
        yield Finding("network", "ok", f"{server.host}:{server.port}, no TLS of its own")
        return
    tls_context(server.tls_cert, server.tls_key)
    certificate = x509.load_pem_x509_certificate(Path(server.tls_cert).read_bytes())
    days = (certificate.not_valid_after_utc - datetime.now(UTC)).days
    state: State = "fail" if days < 0 else "warn" if days < _CERTIFICATE_DAYS_MIN else "ok"
    yield Finding("certificate", state, f"{days} days left, {ssl.OPENSSL_VERSION}", "renew it")


def _purse(_config: Config) -> Iterator[Finding]:
    path = default_path()
    if not is_purse(path):
        yield Finding("purse", "ok", "none here; this machine does not pay")
        return
    purse = open_purse(path)
    left = len(purse.journal.unresolved())
    do = "run the same farthing pay again: what was signed is sent again, and paid once"
    seen = f"{purse.device} of the hub {purse.hub}, {left} payments without an answer"
    yield Finding("purse", "warn" if left else "ok", seen, do)


def _hub(config: Config) -> Iterator[Finding]:
    if not is_running(config):
        yield Finding("hub", "ok", "not running; start it with farthing serve")
        return
    verify = not config.server.tls_cert  # Its own certificate was looked at before.
    with httpx.Client(verify=verify, timeout=5) as client:
        scheme = "https" if config.server.tls_cert else "http"
        url = f"{scheme}://{config.server.host}:{config.server.port}/readyz"
        try:
            answer = client.get(url)
        except httpx.HTTPError as fault:
            do = "it has a socket but no port: check [server] host and port"
            yield Finding("hub", "fail", f"{url}: {fault}", do)
            return
    state: State = "ok" if answer.is_success else "fail"
    yield Finding("hub", state, f"{url}: {answer.text.strip()}", "look into its log")


def _prices(config: Config, file: Path) -> Iterator[Finding]:
    found = read_prices(file.read_text(), config.asset_table(), str(file))
    yield Finding("prices", "ok", f"{len(found.offers)} offers in {file}")
