"""Events resume without a gap or a double; exports and lists are whole and safe to open."""

import asyncio
import contextlib
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from farthing.core.events import Kind
from farthing.web.app import HubApp

from .test_bad_payments import problem
from .town import LOCAL, Town, open_town


class Listener:
    """A client of the event stream, on the bare application."""

    def __init__(self, town: Town, who: str, headers: dict[str, str] | None = None) -> None:
        fields = {"host": "hub.test", "authorization": f"Bearer {town.keys[who]}"} | (headers or {})
        self._scope = {
            "type": "http", "method": "GET", "path": "/v1/events", "raw_path": b"/v1/events",
            "query_string": b"", "client": ("127.0.0.1", 1),
            "headers": [(k.encode(), v.encode()) for k, v in fields.items()],
        }  # fmt: skip
        self._app = HubApp(town.hub.desk)
        self._gone = asyncio.Event()
        self._sent = False
        self._text = ""
        self.chunks: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.task = asyncio.create_task(self._app(self._scope, self._receive, self.chunks.put))

    async def _receive(self) -> dict[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request"}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def hang_up(self) -> None:
        """Go away."""
        self._gone.set()

    async def next(self) -> dict[str, Any]:
        """Wait for the next event."""
        while "\n\n" not in self._text or self._text.startswith(":"):
            if self._text.startswith(":") and "\n\n" in self._text:
                self._text = self._text.partition("\n\n")[2]
                continue
            message = await asyncio.wait_for(self.chunks.get(), 5)
            if message["type"] == "http.response.body":
                self._text += message["body"].decode()
        block, _, self._text = self._text.partition("\n\n")
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        event = json.loads(fields["data"])
        assert (event["id"], event["kind"]) == (fields["id"], fields["event"])
        return event


@contextlib.asynccontextmanager
async def listening(
    town: Town, who: str, headers: dict[str, str] | None = None
) -> AsyncIterator[Listener]:
    """Listen, and hang up in the end."""
    listener = Listener(town, who, headers)
    first = await listener.chunks.get()
    assert first["status"] == 200, first
    assert (b"content-type", b"text/event-stream") in first["headers"]
    await listener.chunks.get()  # The greeting: everything from now on is heard.
    yield listener
    listener.hang_up()
    await asyncio.wait_for(listener.task, 5)


async def all_events(town: Town, who: str) -> list[dict[str, Any]]:
    """Page through every event so far."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["id"] if found else "0"
        page = await town.made("GET", f"/v1/events?after={after}&limit=3", who=who)
        if not page["items"]:
            return found
        found += page["items"]


async def test_events_come_as_they_happen(tmp_path: Path):
    async with open_town(tmp_path) as town, listening(town, "seller.read") as heard:
        paid = await town.pay()
        event = await heard.next()
        assert (event["kind"], event["subject"]) == (Kind.PAYMENT_CAPTURED, paid["id"])
        assert event["body"]["captured"] == "1500"


async def test_a_listener_that_comes_back_misses_nothing_and_hears_nothing_twice(tmp_path: Path):
    """Streams are cut at any moment while fifty payments are committed side by side."""
    async with open_town(tmp_path) as town:
        start = (await all_events(town, "seller.read"))[-1]["id"]
        paying = asyncio.gather(*(town.pay(i + 1) for i in range(50)))
        heard: list[dict[str, Any]] = []
        while len(heard) < 50:
            last = {"last-event-id": heard[-1]["id"] if heard else start}
            async with listening(town, "seller.read", last) as stream:
                heard += [await stream.next() for _ in range(min(7, 50 - len(heard)))]
        await paying
        numbers = [int(event["id"]) for event in heard]
        assert numbers == sorted(set(numbers))
        assert sorted(int(e["body"]["amount"]) for e in heard) == list(range(1, 51))
        assert heard == (await all_events(town, "seller.read"))[-50:]


async def test_each_owner_hears_its_own_events_only(tmp_path: Path):
    async with open_town(tmp_path) as town:
        paid = await town.pay()
        await town.mandate("buyer", name="secret plans")
        for who, has in (("buyer.read", True), ("seller.read", False)):
            found = await all_events(town, who)
            kinds = [event["kind"] for event in found]
            assert (Kind.MANDATE_SET in kinds, kinds.count(Kind.PAYMENT_CAPTURED)) == (has, 1)
            assert paid["id"] in [event["subject"] for event in found]
            assert "secret plans" not in str(found)
        everything = await all_events(town, "operator")
        assert {Kind.HUB_KEY_ROTATED, Kind.MANDATE_SET} <= {e["kind"] for e in everything}


async def test_streams_end_when_the_hub_closes(tmp_path: Path):
    async with open_town(tmp_path) as town:
        listener = Listener(town, "buyer.read")
        await listener.chunks.get()
        town.hub.desk.closing = True
        town.hub.ctx.committed.give()
        await asyncio.wait_for(listener.task, 5)
        last = [listener.chunks.get_nowait() for _ in range(listener.chunks.qsize())][-1]
        assert last == {"type": "http.response.body", "body": b"", "more_body": False}
        answer = await town.ask("GET", "/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "closing"})


async def test_a_listener_that_has_gone_is_let_go(tmp_path: Path):
    async with open_town(tmp_path) as town:
        listener = Listener(town, "buyer.read")
        await listener.chunks.get()
        listener.hang_up()
        await asyncio.wait_for(listener.task, 2)


async def some_payments(town: Town, count: int) -> list[str]:
    """Make payments, and give their ids with the newest first."""
    made = [(await town.pay(i + 1))["id"] for i in range(count)]
    return sorted(made, reverse=True)


async def pages(town: Town, query: str, who: str = "buyer.read") -> AsyncIterator[list[str]]:
    """Walk through a list."""
    cursor = ""
    while True:
        page = await town.made("GET", f"/v1/payments?{query}{cursor}", who=who)
        yield [item["id"] for item in page["items"]]
        if page["next"] is None:
            return
        cursor = f"&cursor={page['next']}"


async def test_pages_show_everything_once_though_more_is_paid_meanwhile(tmp_path: Path):
    async with open_town(tmp_path) as town:
        made, seen = await some_payments(town, 10), list[str]()
        async for page in pages(town, "limit=3"):
            seen += page
            await asyncio.sleep(0.002)
            await town.pay()
        assert seen == made


async def test_filters_and_roles(tmp_path: Path):
    async with open_town(tmp_path) as town:
        paid = await town.pay()
        held = (await town.hold())["payment"]
        purse, shop = town.accounts["purse"], town.accounts["shop"]
        meter = town.machines["meter"].id
        both = sorted([paid["id"], held], reverse=True)
        for query, who, found in [
            ("", "buyer.read", both),
            ("state=held", "buyer.read", [held]),
            ("state=captured", "seller.read", [paid["id"]]),
            ("state=refused", "buyer.read", []),
            (f"payer={purse}", "buyer.read", both),
            (f"payee={shop}&state=held", "buyer.read", [held]),
            (f"payee={purse}", "buyer.read", []),
            (f"device={meter}", "seller.read", both),
            ("asset=EUR", "buyer.read", []),
            ("role=payer", "buyer.read", both),
            ("role=payee", "buyer.read", []),
            ("role=payee", "seller.read", both),
            ("role=payer", "seller.read", []),
            ("", "operator", both),
            ("", LOCAL, both),
        ]:
            listed = await town.made("GET", f"/v1/payments?{query}", who=who)
            assert [item["id"] for item in listed["items"]] == found, (query, who)


async def test_every_list_refuses_a_cursor_that_is_not_its_own(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await some_payments(town, 2)
        page = await town.made("GET", "/v1/payments?limit=1", who=LOCAL)
        for name in ("owners", "keys", "accounts", "mandates", "devices", "offers"):
            for cursor in (page["next"], "x", "_" * 40):
                answer = await town.ask("GET", f"/v1/{name}?cursor={cursor}", who=LOCAL)
                assert problem(answer) == (400, "invalid-cursor"), name
            first = await town.made("GET", f"/v1/{name}?limit=1", who=LOCAL)
            if first["next"]:
                await town.made("GET", f"/v1/{name}?limit=1&cursor={first['next']}", who=LOCAL)


async def test_an_export_has_every_payment_once_in_both_forms(tmp_path: Path):
    async with open_town(tmp_path) as town:
        made = await some_payments(town, 12)
        await town.hold()
        query = "/v1/payments/export?state=captured"
        lines = await town.ask("GET", f"{query}&format=jsonl", who="buyer.read")
        assert lines.headers["content-type"] == "application/jsonl"
        assert "payments.jsonl" in lines.headers["content-disposition"]
        assert [json.loads(line)["id"] for line in lines.text.splitlines()] == made
        table = await town.ask("GET", query, who="buyer.read")
        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(table.text)))
        assert [row["id"] for row in rows] == made
        assert rows[0]["captured"] == "12"


async def test_an_exported_table_runs_nothing_in_a_spreadsheet(tmp_path: Path):
    async with open_town(tmp_path) as town:
        for text in ("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", 'a","b', "'x"):
            await town.pay(resource=text)
        table = await town.ask("GET", "/v1/payments/export", who="seller.read")
        cells = [row["resource"] for row in csv.DictReader(io.StringIO(table.text))]
        assert sorted(cells) == sorted(["'=HYPERLINK(1)", "'+1", "'-1", "'@SUM(A1)", 'a","b', "'x"])


async def test_an_export_of_more_than_a_page_is_streamed(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await asyncio.gather(*(town.pay(1) for _ in range(520)))
        table = await town.ask("GET", "/v1/payments/export?format=jsonl", who="buyer.read")
        idents = [json.loads(line)["id"] for line in table.text.splitlines()]
        assert len(idents) == len(set(idents)) == 520
        assert idents == sorted(idents, reverse=True)
