"""What an operator meters by a command, a proxy sells, and a device buys by a session."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse

from farthing.core.prices import PriceList
from farthing.device import Client, open_purse
from farthing.errors import BadConfig
from farthing.protocols.mpp import Mpp
from farthing.web.paywall import Paywall
from farthing.web.price_file import read_prices
from tests.e2e.hub_process import HubProcess
from tests.web.metered_shop import ASSETS, PRICES


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("metered")
    site = folder / "site"
    site.mkdir()
    (site / "reading").write_text("21.5")
    with HubProcess(folder) as hub:
        yield hub


def test_a_metered_offer_of_the_hub_is_sold_through_the_proxy(place: HubProcess, tmp_path: Path):
    shop, wallet = place.account("shop"), place.account("wallet")
    place.run("credit", wallet, "1 USD")
    purse = place.purse(wallet)
    place.run("offers", "create", shop, "/reading", "0.01 USD", "--per", "request")
    meters = str(tmp_path / "meters.db")
    with (
        place.service(place.home.parent / "site") as upstream,
        place.proxy(upstream, "--payee", shop, "--meters", meters) as url,
    ):
        told = place.run("pay", f"{url}/reading", "--purse", str(purse), ok=False)
        assert (told.returncode, "sold-by-sessions" in told.stderr) == (11, True), told.stderr
        assert "client.session" in told.stderr
        heard = place.run("api", "GET", "/v1/sessions").stdout
        assert '"items": []' in heard, "nothing is held for what is not bought"
        buy(purse, url)
        assert (place.balance(shop), place.balance(wallet)) == ("20000", "980000")
        by_command(place, purse, f"{url}/reading")
    assert place.run("audit").stdout.startswith("ok:")


def by_command(place: HubProcess, purse: Path, url: str) -> None:
    """Buy twice from one deposit: what it costs at most is told first, then what is promised."""
    pay = ("pay", url, "--purse", str(purse), "--deposit", "0.03 USD")
    first = place.run(*pay)
    told, made = first.stderr.splitlines()
    assert first.stdout == "21.5"
    assert told.startswith("costs at most 0.01 USD to acc_")
    assert told.endswith(", from 0.03 USD that is held now")
    assert ": 0.01 USD in all, of 0.03 USD held; charged so far: 0.01 USD" in made
    lines = place.run(*pay, "--end", "--json").stderr.splitlines()
    most, promised, ended = [json.loads(line) for line in lines]
    assert (most["at_most"]["held"], promised["promised"]["promised"]) == (None, "20000")
    assert ended["ended"] == [promised["promised"]["session"]]
    shown = place.run("api", "GET", f"/v1/sessions/{ended['ended'][0]}", "--json").stdout
    assert json.loads(shown)["ended_by"] == "payer"


def test_what_has_to_be_promised_before_an_answer_is_set_by_the_command(place: HubProcess):
    shop = place.account("writer")
    made = ("offers", "create", shop, "/chat", "0.000002 USD")
    offer = place.run(*made, "--per", "token", "--reserve", "500").stdout.strip()
    told = json.loads(place.run("api", "GET", "/v1/offers", "--json").stdout)
    [shown] = [each for each in told["items"] if each["id"] == offer]
    assert (shown["metered"]["reserve"], shown["metered"]["tariff"]["counts"]) == (500, "token")
    told = place.run(*made, "--reserve", "500", ok=False)
    assert "--reserve" in told.stderr and "--per" in told.stderr


def buy(purse: Path, url: str) -> None:
    async def work() -> None:
        async with (
            Client(open_purse(purse)) as client,
            client.session(url, deposit="0.04 USD") as bought,
        ):
            for _ in range(2):
                assert (await bought.get("/reading")).text == "21.5"

    asyncio.run(work())


def test_a_proxy_that_has_no_file_for_its_meters_does_not_start(place: HubProcess):
    shop = place.account("meterless")
    place.run("offers", "create", shop, "/reading", "0.01 USD", "--per", "second")
    command = ("proxy", "--upstream", "http://127.0.0.1:9", "--port", "0", "--payee", shop)
    told = place.run(*command, ok=False)
    assert (told.returncode, "no-meters" in told.stderr) == (8, True), told.stderr
    assert "--meters FILE" in told.stderr


def test_a_route_is_not_metered_by_a_paywall_without_a_file_for_it():
    wall = Paywall(hub=None, hub_id="h", languages=[Mpp([b"s" * 32])], assets=ASSETS)  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadConfig, match="file for its meters"):
        wall.price("0.01 USD", per="second")


async def test_what_is_metered_only_after_the_start_is_refused_with_a_hint_and_a_log_line(caplog):
    class Prices:
        def __init__(self) -> None:
            self.now = PriceList()

        def current(self) -> PriceList:
            return self.now

    prices = Prices()
    wall = Paywall(
        PlainTextResponse("21.5"), hub=None, hub_id="h", languages=[Mpp([b"s" * 32])],  # pyright: ignore[reportArgumentType]
        assets=ASSETS, realm="shop.example", prices=prices,
    )  # fmt: skip
    prices.now = read_prices(PRICES, ASSETS)
    transport = httpx.ASGITransport(wall)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answers = [await http.get("/readings") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 503]
    told = answers[0].json()
    assert told["code"] == "no-meters" and "--meters FILE" in told["hint"]
    assert len([each for each in caplog.records if "paywall.no_meters" in each.getMessage()]) == 1
