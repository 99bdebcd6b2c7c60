"""The demo itself: everything is opened in a folder of its own, runs, is audited, and is gone."""

import asyncio
import tempfile
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from farthing.app import Hub, open_hub
from farthing.cli.local import ask
from farthing.cli.serving import initialise
from farthing.clock import system_clock
from farthing.delivering import delivering
from farthing.demo.cast import ASSETS, CAST, SHOPS, Allowed, Part
from farthing.demo.finale import Result, audit_books, judge
from farthing.demo.fleet import Buyer, pause
from farthing.demo.owner import FleetOwner, Operator
from farthing.demo.servers import Served
from farthing.demo.shops import Seller, open_shop
from farthing.demo.tally import Tally
from farthing.demo.web import trust
from farthing.demo.yard import Ground, Yard
from farthing.device.enrolment import enrol
from farthing.device.purse import Purse
from farthing.errors import FarthingError
from farthing.money import parse_price
from farthing.services.audit_note import AuditNote, write_note
from farthing.settings import Config, RailSettings, RiskSettings, WebhookSettings
from farthing.web.app import HubApp

_STAGGER_SECONDS = 0.04
_LOOK_SECONDS = 0.5
_RISK = RiskSettings(mode="shadow", rules={"velocity": {"orders_per_minute_max": 12}})
"""Rules look on, as here the mandates are on show; busy devices have cases."""


class Demo:
    """A hub, three shops and a fleet. `async with Demo(30) as demo: await demo.run()`.

    Shape: `config` says where the hub's files are; `stop` may be set to end the run early; after
           the `async with` nothing is left of it, and `result` says what came of it.
    """

    def __init__(self, seconds: float) -> None:
        self.tally = Tally(seconds)
        self.stop = asyncio.Event()
        self.result: Result | None = None
        self._stack = AsyncExitStack()
        self._open = AsyncExitStack()
        self._folder = Path()
        self._accounts: dict[str, str] = {}
        self._purses: dict[str, Purse] = {}
        self._person = ""
        self._shops: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        """Open everything: the hub, the shops, and purses for the fleet."""
        try:
            temporary = tempfile.TemporaryDirectory(prefix="farthing-demo-")
            self._folder = Path(self._stack.enter_context(temporary))
            rails = RailSettings(simulated=True)
            self.config = Config(
                folder=str(self._folder / "hub"),
                rails=rails,
                risk=_RISK,
                webhooks=WebhookSettings(allow_networks=["127.0.0.0/8"]),
            )
            await self._stack.enter_async_context(self._open)
            await self._open_hub()
            await self._open_shops()
            await self._enrol_fleet()
            await self._operator.look()
            await self._audit()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every port, and remove the folder."""
        await self._stack.aclose()

    async def run(self) -> Result:
        """Let machines pay machines until the time is over or `stop` is set; then audit."""
        self.tally.begin()
        answering = asyncio.create_task(self._heeded(self._owner.answer(self.stop)))
        try:
            async with asyncio.TaskGroup() as together:
                for i, part in enumerate(CAST):
                    buyer = Buyer(part, self._purses[part.name], self._shops, self.tally)
                    together.create_task(buyer.live(self.stop, i * _STAGGER_SECONDS))
                together.create_task(self._yard.live(self.stop))
                for work in (self._owner.revoke, self._operator.top_up, self._operator.watch):
                    together.create_task(self._heeded(work(self.stop)))
                together.create_task(self._time())
            await self._heeded(self._operator.look())
        finally:
            self.stop.set()
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
        return await self._finish()

    async def _heeded(self, work: Awaitable[None]) -> None:
        """Do what people do; what goes wrong with it is shown, and the audit still comes."""
        try:
            await work
        except FarthingError as fault:
            self.tally.trouble("the hub", fault.detail or fault.code)

    async def _time(self) -> None:
        """End on time; with the wallet open, when it is closed or the demo is told to stop."""
        await pause(self.stop, self.tally.seconds)
        while not self.stop.is_set() and await self._wallet_is_open():
            await pause(self.stop, _LOOK_SECONDS)
        self.stop.set()

    async def _wallet_is_open(self) -> bool:
        """Tell whether somebody made a passkey with the link, and is signed in."""
        return bool(await self._hub.desk.people.register.sessions(self._person))

    async def _finish(self) -> Result:
        root_key = next(iter(self._purses.values())).membership.root_key
        await self._open.aclose()  # The hub has stopped; what follows needs only files.
        report = await audit_books(self.config)
        self.result = judge(self.tally, report, root_key)
        return self.result

    async def _audit(self) -> None:
        """Have the books audited beside the running hub, as an operator does every night."""
        report = await audit_books(self.config, beside=True)
        note = AuditNote(report.ok, system_clock(), report.commits, report.text)
        write_note(self.config, note)

    async def _open_hub(self) -> None:
        made = await initialise(self.config, "the operator", "UTC")
        self.tally.hub_id = made["hub"]
        self._hub = hub = await open_hub(self.config)
        self._open.push_async_callback(hub.close)
        await self._open.enter_async_context(delivering(hub))
        served = await Served(HubApp(hub.desk)).start()
        self._open.push_async_callback(served.stop)
        self._open.callback(_end_streams, hub)
        self._hub_url = served.url
        self._client = await self._client_of(made["key"])
        self._operator = Operator(self._client, self._accounts, self.tally)

    async def _client_of(self, key: str) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {key}"}
        client = httpx.AsyncClient(base_url=self._hub_url, headers=headers, verify=trust())
        return await self._open.enter_async_context(client)

    async def _open_shops(self) -> None:
        for name in SHOPS:
            owner = await self._make("/v1/owners", {"name": name})
            self._accounts[name] = await self._account(owner, name)
            key = await self._key(owner, ["seller"])
            seller = Seller(name, self._accounts[name], key, self._hub_url, self.tally.hub_id)
            self._shops[name] = (await open_shop(seller, self._folder, self._open)).url

    async def _enrol_fleet(self) -> None:
        owner = await self._make("/v1/owners", {"name": "Parkside", "time_zone": "UTC"})
        key = await self._key(owner, ["owner", "read"])
        await asyncio.gather(*(self._enrol(part, owner) for part in CAST))
        devices = {name: purse.device for name, purse in self._purses.items()}
        client = await self._client_of(key)
        self._owner = FleetOwner(client, devices, self.tally, self._wallet_is_open)
        await self._invite(owner)
        seller = await self._client_of(await self._key(owner, ["seller"]))
        ids = (self._hub_url, self.tally.hub_id, self._folder, owner)
        self._yard = Yard(Ground(*ids, operator=self._client, seller=seller), self.tally)
        await self._yard.open(self._open)

    async def _invite(self, owner: str) -> None:
        """Let whoever watches into the fleet's wallet, and the console."""
        bea = {"owner": owner, "name": "Bea", "roles": ["owner"]}
        await ask(self._client, "POST", "/v1/people", bea)
        body = {"owner": owner, "name": "You", "roles": ["owner", "operator"]}
        made = await ask(self._client, "POST", "/v1/people", body)
        self._person, code = made["id"], made["link"].partition("#")[2]
        place = self._hub_url.replace("127.0.0.1", "localhost")  # Passkeys belong to a name.
        self.tally.wallet = f"{place}/join#{code}"

    async def _enrol(self, part: Part, owner: str) -> None:
        self._accounts[part.name] = account = await self._account(owner, part.name)
        await self._operator.credit(part.name, part.funds)
        wanted = {"owner": owner, "name": part.name, **self._mandate(part.allowed)}
        mandate = await self._make("/v1/mandates", wanted)
        invitation = {"account": account, "mandate": mandate, "name": part.name}
        made = await ask(self._client, "POST", "/v1/devices/invitations", invitation)
        self._purses[part.name] = await enrol(
            self._folder / "purses" / part.name,
            self._hub_url,
            made["code"],
            algorithm=part.algorithm,
            name=part.name,
            hub=self.tally.hub_id,
            transport=httpx.AsyncHTTPTransport(verify=trust()),
        )

    def _mandate(self, allowed: Allowed) -> dict[str, Any]:
        budget = {
            "name": "pocket money",
            "per": f"{allowed.budget_seconds}s",
            "limit": _units(allowed.budget),
        }
        return {
            "asset": "USD",
            "largest": _units(allowed.largest),
            "budgets": [budget],
            "payees": [self._accounts[shop] for shop in allowed.shops],
            "categories": list(allowed.categories),
            "hours": allowed.hours(),
            "ask_above": _units(allowed.ask_above) if allowed.ask_above else None,
            "ask_seconds": 60,
        }

    async def _account(self, owner: str, name: str) -> str:
        return await self._make("/v1/accounts", {"owner": owner, "asset": "USD", "name": name})

    async def _key(self, owner: str, scopes: list[str]) -> str:
        body = {"owner": owner, "scopes": scopes, "label": "demo"}
        return (await ask(self._client, "POST", "/v1/keys", body))["secret"]

    async def _make(self, path: str, body: dict[str, Any]) -> str:
        return (await ask(self._client, "POST", path, body))["id"]


def _units(price: str) -> str:
    return str(parse_price(price, ASSETS).units)


def _end_streams(hub: Hub) -> None:
    """Tell event streams to end, or the server would wait for them."""
    hub.desk.closing = True
    hub.ctx.committed.give()
