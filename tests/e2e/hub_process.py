"""A real hub in a process of its own, driven by the command line as a person would."""

import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from tests.cli.runner import Terminal
from tests.ports import free_port

STARTED_WITHIN_SECONDS = 60


class HubProcess:
    """`farthing serve` in a folder of its own, on a free port."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.home = folder / "farthing"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("FARTHING")},
            "HOME": str(folder),
            "FARTHING_HOME": str(self.home),
            "FARTHING_SERVER_PORT": str(self.port),
            "NO_COLOR": "1",
            **settings,
        }
        self._purses = 0
        self.log: Path | None = None
        self.verify = settings.get("FARTHING_SERVER_TLS_CERT", "")
        if self.verify:
            self.url = self.url.replace("http:", "https:")

    def __enter__(self):
        self.made = json.loads(self.ask("init", "--json"))
        self.start()
        return self

    def __exit__(self, *_exc):
        self.stop()

    def start(self, *more: str) -> None:
        command = [sys.executable, "-m", "farthing", "serve", *more]
        with self._written_to() as log:
            self.process = subprocess.Popen(command, env=self.environment, stderr=log)
        self.wait_ready()

    def wait_ready(self) -> None:
        wait_for(f"{self.url}/readyz", self.process, verify=self.verify)

    @contextlib.contextmanager
    def served(self):
        """Serve a hub that is there already."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def _written_to(self):
        """Give where hub and proxy write their log: the test's own stderr, unless it wants it."""
        return self.log.open("a") if self.log else contextlib.nullcontext(None)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)

    def kill(self) -> None:
        """End the process as `kill -9` does."""
        self.process.kill()
        self.process.wait()

    def run(self, *command: str, ok: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, "-m", "farthing", *command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done

    def ask(self, *command: str) -> str:
        """Give what a command says that is only in a test's way, without a process for it.

        Shape: where a loop runs, or in another thread, it has a process: a command is alone in its.
        """
        if _in_a_loop() or threading.current_thread() is not threading.main_thread():
            return self.run(*command).stdout
        said = Terminal(self.home)(*command, **self.environment)
        assert said.code == 0, said.out + said.err
        return said.out

    def account(self, name: str, asset: str = "USD") -> str:
        return self.ask("accounts", "open", asset, "--name", name).strip()

    def purse(self, wallet: str, *mandate: str) -> Path:
        """Enrol a new device that spends from `wallet` under a mandate with these options."""
        self._purses += 1
        purse = self.home / f"purse-{self._purses}"
        made = self.ask("mandates", "create", "USD", *mandate).strip()
        code = self.ask("devices", "invite", wallet, made).strip()
        self.ask("enrol", self.url, code, "--purse", str(purse))
        return purse

    def balance(self, account: str) -> str:
        items = json.loads(self.ask("accounts", "list", "--json"))
        return next(i["balance"]["available"] for i in items if i["id"] == account)

    @contextlib.contextmanager
    def service(self, site: Path):
        """A real web server over a folder; gives its URL."""
        port = free_port()
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
        server = subprocess.Popen(
            [*command, "--directory", str(site)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(url, server)
            yield url
        finally:
            server.terminate()
            server.wait(10)

    @contextlib.contextmanager
    def proxy(self, upstream: str, *more: str):
        """`farthing proxy` before a web service; gives its URL."""
        port = free_port()
        command = [sys.executable, "-m", "farthing", "proxy", "--upstream", upstream]
        command += ["--port", str(port), *more]
        with self._written_to() as log:
            process = subprocess.Popen(command, env=self.environment, stderr=log)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def wait_for(url: str, process: subprocess.Popen, verify: str = "") -> None:
    # Whoever asks over plain HTTP needs no list of authorities, which takes long to load.
    trust = ssl.create_default_context(cafile=verify) if verify else False
    deadline = time.monotonic() + STARTED_WITHIN_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"it ended with {process.returncode}"
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(url, timeout=2, verify=trust)
            return
        time.sleep(0.03)
    raise AssertionError(f"nothing answers at {url}")


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
