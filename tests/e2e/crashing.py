"""A real hub process that is killed under load, again and again, and what must then be true."""

import asyncio
import contextlib
import functools
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from farthing import ids
from farthing.codec import to_base64url
from farthing.config import load_config
from farthing.core.devices import enrolment_bytes
from farthing.core.orders import Order, SignedOrder, payment_id
from farthing.core.sessions import Opening
from farthing.core.tariffs import flat_rate
from farthing.core.vouchers import Agreed, Claims, session_alias, sign_voucher
from farthing.keys import Ed25519Signer
from farthing.opening import open_cluster, open_to_read
from farthing.services.audit import audit
from farthing.services.heads import HeadsFile
from farthing.session_files import Kept, SessionFiles
from farthing.threads import Threads
from tests.e2e.gone import wait_until_gone
from tests.ports import free_port

PRICE = 7
CLIENTS = 6
_START_SECONDS = 60


class Sent:
    """One signed order, how it is paid, and whether the hub ever said that it is done."""

    def __init__(self, signed: SignedOrder, *, held: bool):
        self.body = body_of(signed)
        self.payment = ids.name("pay", payment_id(signed.order))
        self.held = held
        self.done = False


def body_of(signed: SignedOrder):
    """Write a signed order as it is sent."""
    return {"order": signed.order.members(), "signature": to_base64url(signed.signature)}


class Drawer:
    """A session that is drawn while its hub crashes.

    Units: `answered` is the most that the hub said yes to, `signed` the most that was signed.
    """

    def __init__(self, hub: "CrashingHub"):
        self.hub = hub
        self.answered = self.signed = self.taken = 0

    async def open(self, client):
        """Open it with a deposit that is enough."""
        tariff = flat_rate("USD", "request", 1)
        signed = self.hub.sign(10**9, Opening(tariff.digest(), 3000, 60, "").resource())
        said = await self.hub.ask(
            client, "/v1/sessions", **body_of(signed), tariff=tariff.members()
        )
        self.deposit = ids.name("pay", payment_id(signed.order))
        self.session = said["session"]["id"]
        self.agreed = Agreed(self.session, self.hub.shop, "USD", tariff.digest())

    async def draw(self, client):
        """Promise a little more."""
        self.signed += 3
        number = ids.number("ses", self.session)
        expiry = int(time.time()) + 1000
        claims = Claims(session_alias(number), self.signed, self.signed, expiry)
        raw = sign_voucher(self.hub.signer, self.agreed, claims)
        path = f"/v1/sessions/{self.session}/vouchers"
        said = await self.hub.ask(client, path, voucher=to_base64url(raw))
        assert int(said["promised"]) == self.signed
        self.answered = self.signed

    async def close(self, client):
        """Take what is promised."""
        said = await self.hub.ask(client, f"/v1/sessions/{self.session}/close")
        self.taken = int(said["captured"])
        assert self.answered <= self.taken <= self.signed


class Climber(Drawer):
    """A session that is drawn by ticks: its device signs once, and keeps its ladder on disk."""

    async def open(self, client):
        """Open it, and keep it as a device does."""
        await super().open(client)
        self.files = SessionFiles(self.hub.folder / "purse")
        tariff, ends = to_base64url(self.agreed.tariff), int(time.time()) + 1000
        self.files.keep(
            Kept(
                session=self.session,
                payee=self.hub.shop,
                asset="USD",
                tariff=tariff,
                deposit=10**9,
                ends=ends,
            )
        )

    async def draw(self, client):
        """Show the next tick; its voucher as well, until the hub has answered once."""
        self.signed += 3
        shown = self.files.climb(self.session, self.signed, 3, self.hub.signer)
        body, path = {"tick": to_base64url(shown.tick)}, "ticks"
        if not self.answered:
            body, path = body | {"voucher": to_base64url(shown.voucher)}, "vouchers"
        said = await self.hub.ask(client, f"/v1/sessions/{self.session}/{path}", **body)
        assert int(said["promised"]) == self.signed
        self.answered = self.signed

    async def close(self, client):
        """Take what is promised: what the hub has proves it by the one voucher."""
        await super().close(client)
        shown = (await client.get(f"/v1/sessions/{self.session}")).json()
        voucher = self.files.read(self.session).ladder.voucher
        assert (shown["voucher"], int(shown["ticks"]) * 3) == (voucher, self.taken)


class CrashingHub:
    """A hub in a folder: started, loaded, killed, audited."""

    def __init__(self, folder: Path, books: str = ""):
        self._settle_in(folder, books)
        self.sent: list[Sent] = []
        self.drawers: list[Drawer] = []
        self.retried = 0
        self.signer = Ed25519Signer(secrets.token_bytes(32))
        self.made = json.loads(self.farthing("init", "--json"))

    def _settle_in(self, folder: Path, books: str):
        self.folder = folder
        self.port = free_port()
        self.config = folder / "farthing.toml"
        self.config.write_text(
            f'[server]\nport = {self.port}\n[log]\nlevel = "error"\n[books]\n{books}\n'
        )
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def farthing(self, *words: str) -> bytes:
        """Run a command in its folder, and give what it says."""
        command = [sys.executable, "-m", "farthing", *words, "--config", str(self.config)]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout

    def start(self, *words: str):
        """Start the hub's process, and wait until it takes payments."""
        self.begin(*words)
        self.wait_ready()

    def begin(self, *words: str):
        """Start the hub's process."""
        command = [sys.executable, "-m", "farthing", "serve", "--config", str(self.config), *words]
        with (self.folder / "log").open("ab") as log:
            speaking = {**os.environ, "PYTHONFAULTHANDLER": "1"}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=speaking)

    def wait_ready(self):
        """Wait until it takes payments."""
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.02)
        self.process.send_signal(signal.SIGABRT)  # It says where it waits.
        self.process.wait(20)
        raise AssertionError("the hub does not start: " + (self.folder / "log").read_text())

    def kill(self):
        """End the process as `kill -9` does; one that writes for it may live on for a moment."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """End the hub however it stands, and all of it: its files are the test's own then."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.wait_until_gone()

    def wait_until_gone(self):
        """Wait until nothing of a killed hub is left."""
        wait_until_gone(self.folder / "farthing.db")

    async def furnish(self):
        """Open accounts with money, and enrol a device under a mandate of two budgets."""
        async with self.client() as client:
            self.shop = (await self.ask(client, "/v1/accounts", asset="USD"))["id"]
            purse = (await self.ask(client, "/v1/accounts", asset="USD"))["id"]
            await self.ask(client, "/v1/credits", account=purse, asset="USD", units=str(10**12))
            budgets = [
                {"name": "day", "per": "day", "limit": str(10**12)},
                {"name": "hour", "per": "1h", "limit": str(10**12)},
            ]
            mandate = await self.ask(client, "/v1/mandates", asset="USD", budgets=budgets)
            invited = await self.ask(
                client, "/v1/devices/invitations", account=purse, mandate=mandate["id"]
            )
            public = self.signer.public
            signature = self.signer.sign(enrolment_bytes(invited["code"], public))
            enrolled = await self.ask(
                client,
                "/v1/devices/enrol",
                code=invited["code"],
                public_key=public,
                signature=to_base64url(signature),
            )
            self.device = enrolled["device"]

    def client(self):
        """Give a client with the operator's key."""
        bearer = {"authorization": f"Bearer {self.made['key']}"}
        return httpx.AsyncClient(base_url=self.url, headers=bearer, timeout=10)

    async def ask(self, client, path, **body):
        """Ask the hub for something, and give its answer."""
        answer = await client.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def sign(self, amount: int, resource: str = "") -> SignedOrder:
        """Sign an order for the shop."""
        now_ms = time.time_ns() // 1_000_000
        order = Order(
            hub=self.made["hub"],
            device=self.device,
            payee=self.shop,
            asset="USD",
            amount=amount,
            nonce=ids.encode(ids.fresh(now_ms)),
            expires=now_ms // 1000 + 1800,
            resource=resource,
        )
        return SignedOrder(order, self.signer.sign(order.signed_bytes()))

    def order(self, *, held: bool) -> Sent:
        """Sign a new order."""
        sent = Sent(self.sign(PRICE), held=held)
        self.sent.append(sent)
        return sent

    async def pay_together(self, client, sent: list[Sent]):
        """Pay orders in one batch."""
        said = await self.ask(client, "/v1/payments/batch", payments=[each.body for each in sent])
        assert {item["state"] for item in said["payments"]} == {"captured"}, said
        for each in sent:
            each.done = True

    async def open_sessions(self):
        """Open sessions that are drawn from then on, by vouchers and by ticks."""
        self.drawers = [Drawer(self), Climber(self)]
        async with self.client() as client:
            for drawer in self.drawers:
                await drawer.open(client)

    async def pay(self, client, sent: Sent):
        """Pay an order: charged at once, or held by its seller and captured."""
        if sent.held:
            held = await self.ask(
                client, "/v1/payments/authorise", **sent.body, hold_seconds=600, claim="seller"
            )
            assert held["state"] in ("held", "captured"), held
            said = await self.ask(client, f"/v1/payments/{sent.payment}/capture")
        else:
            said = await self.ask(client, "/v1/payments", **sent.body)
        assert said["state"] == "captured", said
        sent.done = True

    async def load(self, seconds: float):
        """Pay from several clients at once until the hub is killed, after so many seconds."""
        async with self.client() as client:

            async def keep_paying(held):
                while True:
                    try:
                        await self.pay(client, self.order(held=held))
                    except httpx.HTTPError:
                        return

            async def keep_on(once):
                with contextlib.suppress(httpx.HTTPError):
                    while True:
                        await once()

            async def batch():
                await self.pay_together(client, [self.order(held=False) for _ in range(10)])

            clients = [asyncio.create_task(keep_paying(i % 3 == 0)) for i in range(CLIENTS)]
            if self.drawers:
                clients.append(asyncio.create_task(keep_on(batch)))
            for drawer in self.drawers:
                once = functools.partial(drawer.draw, client)
                clients.append(asyncio.create_task(keep_on(once)))
            await asyncio.sleep(seconds)
            async with asyncio.timeout(_START_SECONDS):
                while not all(d.answered for d in self.drawers):  # noqa: ASYNC110 - they tell nobody
                    await asyncio.sleep(0.01)
            self.kill()
            await asyncio.gather(*clients)

    async def retry(self):
        """Send what was never answered once more, as its payer would."""
        unanswered = [sent for sent in self.sent if not sent.done]
        self.retried += len(unanswered)
        async with self.client() as client:
            await asyncio.gather(*(self.pay(client, sent) for sent in unanswered))

    async def check(self):
        """Audit, and compare what is there with what was answered; no hub may run."""
        self.wait_until_gone()
        config = load_config(self.config)
        with Threads(1) as readers:
            database = open_to_read(config, readers)
            heads = HeadsFile(config.path(config.audit.heads_path))
            cluster = open_cluster(config)
            report = await audit(database, self.made["root_key"], heads, cluster=cluster)
            if cluster is not None:
                cluster.close()
            assert report.text == "ok", report.text
            assert not report.notes
            found = dict(await database.read(lambda tx: tx.rows("SELECT id, state FROM payments")))
            twice = await database.read(lambda tx: tx.rows(_TWICE))
            received = await database.read(lambda tx: tx.rows(_RECEIVED, (self._shop_id(),)))
            promised = dict(await database.read(lambda tx: tx.rows(_PROMISED)))
            database.close()
        taken = 0
        for drawer in self.drawers:
            del found[drawer.deposit]
            assert drawer.answered <= promised[drawer.session] <= drawer.signed
            taken += drawer.taken
        assert set(found) <= {sent.payment for sent in self.sent}
        missing = [s.payment for s in self.sent if s.done and found.get(s.payment) != "captured"]
        assert missing == []
        assert twice == []
        captured = sum(state == "captured" for state in found.values())
        assert received == [(PRICE * captured + taken,)]
        return report

    def _shop_id(self) -> bytes:
        return ids.number("acc", self.shop).to_bytes(16, "big")


# Of money's transfers (code 10) each payment has one that is no end of a hold, and one end at most.
_TWICE = (
    "SELECT substr(id, 1, 15), flags & 12 FROM transfers WHERE code = 10"
    " GROUP BY substr(id, 1, 15), flags & 12 HAVING COUNT(*) > 1"
)
_PROMISED = "SELECT id, units FROM sessions"
_RECEIVED = "SELECT credits_posted FROM accounts JOIN balances USING (timestamp) WHERE id = ?"


async def crash_again_and_again(hub: CrashingHub, rounds: int, *, sessions: bool = False):
    """Kill a loaded hub so many times; after each time its books must be right.

    Shape: with `sessions` one is drawn by vouchers and one by ticks, and batches are paid as well.
    """
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    try:
        hub.start()
        await hub.furnish()
        if sessions:
            await hub.open_sessions()
        for _ in range(rounds):
            await hub.load(chance.uniform(0.05, 0.6))
            await hub.check()
            hub.start()
            await hub.retry()
        for drawer in hub.drawers:
            async with hub.client() as client:
                await drawer.close(client)
            assert drawer.answered > 0
        hub.kill()
        report = await hub.check()
    finally:
        hub.stop()
    assert all(sent.done for sent in hub.sent)
    assert report.payments == len(hub.sent) + len(hub.drawers)
    assert hub.retried >= rounds  # Every kill came while payments were under way.
    print(f"{len(hub.sent)} payments, {hub.retried} of them sent again, {report.commits} commits")
    return report
