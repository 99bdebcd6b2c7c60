"""Price files: what they say, where their errors are, and how they are followed."""

import asyncio
import json
import os
import tomllib
from pathlib import Path

import jsonschema
import pytest

from farthing.core.tariffs import owed
from farthing.web.price_file import BadPriceFile, PriceBook, read_prices
from farthing.web.price_rows import schema

from .shop import ASSETS, PRICES, Counter, Shop, selling

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

FULL = """
# A comment
[seller]
realm = "shop.example"
payee = "acc_01kaw1f2800000000000000000"
prefixes = ["/sensors"]

[[offer]]
name = "reading"
path = "/sensors/{name}"
methods = ["GET", "HEAD"]
price = "0.001 USD"
description = \"\"\"
path = "not a key"
\"\"\"
category = "sensors"
valid_from = 2026-01-01T00:00:00Z
valid_until = 2027-01-01T00:00:00+01:00
mode = "charge"
on_broken = "refund"
rerun = 3
free_for = ["dev_01kaw1f2810000000000000000"]

[[offer]]
path = "/upload"
methods = ["POST"]
price = "1 EUR"
bind_body = false
"""


def test_a_full_price_file_is_read():
    prices = read_prices(FULL, ASSETS)
    reading, upload = prices.offers
    assert (prices.realm, prices.prefixes) == ("shop.example", ("/sensors",))
    assert (reading.name, reading.price.units, reading.methods) == ("reading", 1000, {"GET"})
    assert (reading.mode, reading.on_broken, reading.rerun) == ("charge", "refund", 3)
    assert (reading.valid_from, reading.valid_until) == (1767225600, 1798758000)
    assert reading.free_for == {"dev_01kaw1f2810000000000000000"}
    assert (upload.name, upload.bind_body, str(upload.price)) == ("POST /upload", False, "1 EUR")


@pytest.mark.parametrize(
    ("change", "line", "told"),
    [
        (('category = "sensors"', 'categroy = "sensors"'), 16, "did you mean `category`?"),
        (('realm = "shop', 'relam = "shop'), 4, "did you mean `realm`?"),
        (("[seller]", "[seler]"), 3, "did you mean `seller`?"),
        (("rerun = 3", 'rerun = "3"'), 21, "`rerun` must be a whole number, not text"),
        (("rerun = 3", "rerun = 99999"), 21, "rerun"),
        (('"0.001 USD"', '"0.001 GBP"'), 12, "does not know GBP"),
        (
            ('"0.001 USD"', "0.001"),
            12,
            '`price` must be text such as "0.0015 USD", not a number with',
        ),
        (('"0.001 USD"', '"0.0000001 USD"'), 12, "6 decimals"),
        (('price = "0.001 USD"\n', ""), 8, "`price` is missing"),
        (('"/sensors/{name}"', '"/sensors/{name"'), 8, "whole segment"),
        (('["GET", "HEAD"]', '["BREW"]'), 8, "methods are some of"),
        (('"/upload"\nmethods = ["POST"]', '"/sensors/{id}"'), 24, "two prices"),
        (("01-01T00:00:00Z", "01-01T00:00:00"), 17, "with its time zone"),
        (('"charge"', '"later"'), 19, "mode"),
        (("dev_01kaw", "acc_01kaw"), 22, "free_for"),
        (("rerun = 3", "rerun = = 3"), 21, "not TOML"),
        (('["/sensors"]', '["sensors"]'), 6, "starts with /"),
        (("[seller]\n", "[seller\n"), 3, "not TOML"),
    ],
)
def test_an_error_names_its_line_and_what_to_do(change, line, told):
    text = FULL.replace(*change)
    assert text != FULL
    with pytest.raises(BadPriceFile) as caught:
        read_prices(text, ASSETS)
    assert caught.value.line == line, caught.value.detail
    assert told in caught.value.detail and f"prices.toml, line {line}" in caught.value.detail


@pytest.mark.parametrize("text", ["offer = 3", "[[seller]]", "offer = [1]", "x = 1", "\x00", "a"])
def test_a_file_of_another_shape_is_refused(text):
    with pytest.raises(BadPriceFile):
        read_prices(text, ASSETS)


def test_an_empty_file_prices_nothing():
    assert read_prices("", ASSETS).offers == ()


def test_the_published_schema_is_the_one_the_reader_uses_and_agrees_with_it():
    published = json.loads((REFERENCE / "price-file.schema.json").read_text())
    assert published == schema()
    check = jsonschema.Draft202012Validator(published)
    as_json = json.loads(json.dumps(tomllib.loads(FULL), default=lambda time: time.isoformat()))
    assert list(check.iter_errors(as_json)) == []
    for wrong in (
        {"offers": []},
        {"offer": [{"path": "/a"}]},
        {"offer": [{"path": "a", "price": "1"}]},
    ):
        assert list(check.iter_errors(wrong)) != []


def test_the_reference_page_names_every_key_and_its_example_is_valid():
    page = (REFERENCE / "price-file.md").read_text()
    for table in ("SellerRow", "OfferRow", "TierRow"):
        for key in schema()["$defs"][table]["properties"]:
            assert f"`{key}`" in page, key
    first, metered = (part.split("```")[0] for part in page.split("```toml\n")[1:3])
    assert len(read_prices(first, ASSETS).offers) >= 2
    readings, chat = (offer.usage for offer in read_prices(metered, ASSETS).offers)
    assert (readings.by, readings.reserve, readings.deposit) == ("request", 1, 10_000)
    assert owed(readings.tariff, 2000) == 600
    assert (chat.by, chat.reserve, chat.tariff.counts) == ("handler", 500, "token")
    assert owed(chat.tariff, 10_500) == 100 + 4 * 10_000 + 2 * 500


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('opening = "1 EUR"', "one asset"),
        ("every = 0", "every"),
        ('tiers = [{ price = "1 USD" }]', "up_to"),
        ('tiers = [{ price = "1 USD", up_to = 2 }, { price = "1 USD", up_to = 1 }]', "go up"),
        ('minimum = "cheap"', ""),
        ("lifetime_seconds = 0", "lifetime_seconds"),
    ],
)
def test_a_metered_price_that_makes_no_sense_is_refused_with_its_line(line, says):
    text = f'[[offer]]\npath = "/a"\nprice = "1 USD"\nper = "request"\n{line}\n'
    with pytest.raises(BadPriceFile) as caught:
        read_prices(text, ASSETS)
    assert says in caught.value.detail
    assert "line" in caught.value.detail


def changed(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, ns=(path.stat().st_mtime_ns + 1_000_000,) * 2)


def test_a_book_follows_its_file_and_keeps_the_old_prices_when_the_new_ones_are_broken(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(PRICES)
    book = PriceBook(path, ASSETS)
    first = book.current()
    assert not book.refresh() and book.current() is first
    changed(path, PRICES.replace("0.0015", "0.002"))
    assert book.refresh() and book.current().offers[0].price.units == 2000
    changed(path, PRICES.replace("price", "prise"))
    assert not book.refresh() and "line 8" in book.problem.detail
    path.unlink()
    assert not book.refresh() and book.current().offers[0].price.units == 2000
    changed_again = PRICES.replace("0.0015", "0.003")
    path.write_text(changed_again)
    assert book.refresh() and book.problem is None
    assert book.current().offers[0].price.units == 3000
    assert not book.refresh(force=True)


def test_prices_change_without_dropping_a_request(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(PRICES)

    async def story():
        shop, handler = Shop(prices=PriceBook(path, ASSETS)), Counter(seconds=0.3)
        watching = asyncio.create_task(shop.paywall.watch_prices(0.02))
        async with selling(shop, handler) as client:
            running = asyncio.create_task(shop.pay(client, "GET", "/paid"))
            async with asyncio.timeout(20):
                while not handler.runs:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            changed(path, PRICES.replace("0.0015", "0.002"))
            async with asyncio.timeout(20):
                while (await client.get("/paid")).json()["price"] != "0.002 USD":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert (await running).status_code == 200
            watching.cancel()
            changed(path, PRICES.replace("0.0015", "0.004"))
            assert shop.paywall.reload_prices()
            assert (await client.get("/paid")).json()["price"] == "0.004 USD"
        assert shop.spent == 1500

    asyncio.run(story())


def test_a_book_of_no_file_says_so(tmp_path):
    with pytest.raises(BadPriceFile, match="No such file"):
        PriceBook(tmp_path / "none.toml", ASSETS)
