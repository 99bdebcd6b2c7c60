"""Price your first API: a price file that is written from a few fields, and what to do with it."""

import json
import shlex
from collections.abc import Sequence
from urllib.parse import urlsplit

from farthing.core.accounts import AccountRecord
from farthing.errors import BadConfig, Malformed
from farthing.web.api.endpoint import Reply
from farthing.web.pages.place import one_line, people_url
from farthing.web.pages.typed import LINE_MAX, amount_typed
from farthing.web.pages.visit import Visit
from farthing.web.pages.wallet import book_of
from farthing.web.price_file import read_prices

QUERY = {
    "path": "The path that has a price.",
    "price": "The price.",
    "per": "What it is for: a call, a second or a byte of an answer.",
    "upstream": "Where the API is now.",
}
PERS = ("call", "second", "byte")
_PLACE_MAX = 200
_GIVEN = {"path": "/weather/{town}", "price": "0.001", "per": "call",
          "upstream": "http://127.0.0.1:8000"}  # fmt: skip
_ACCOUNT = "acc_…"


async def price_page(visit: Visit) -> Reply:
    """Write a price file from what was typed, and the commands that go with it.

    Raises: Malformed.
    """
    told = {name: _typed(visit, name) for name in QUERY}
    accounts = await book_of(visit).open_accounts()
    tills = await book_of(visit).tills()
    payee, asset = (tills[-1].id, tills[-1].asset) if tills else ("", _asset(accounts))
    toml = _price_file(visit, told, payee, asset)
    parts = urlsplit(told["upstream"])
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise Malformed("malformed-form", "an address of an API begins with http:// or https://")
    return visit.page(
        "price.html",
        told=told,
        asset=asset,
        needs_till=bool(accounts) and not tills,
        pers=PERS,
        toml=toml,
        serve=f"farthing proxy --upstream {shlex.quote(told['upstream'])} --prices prices.toml",
        elsewhere=f"--hub {people_url(visit.call.desk.config)}",
        buy=f"farthing pay {shlex.quote(_example(told['path']))}",
    )


def _asset(accounts: Sequence[AccountRecord]) -> str:
    return accounts[-1].asset if accounts else "USD"


def _typed(visit: Visit, name: str) -> str:
    most = LINE_MAX if name in ("price", "per") else _PLACE_MAX
    given = _GIVEN[name]
    if name == "price" and visit.renderer.language == "de":
        given = given.replace(".", ",")
    return one_line(visit.call.query.get(name) or given, most)


def _price_file(visit: Visit, told: dict[str, str], payee: str, asset: str) -> str:
    """Write a price file, and read it as the proxy will."""
    amount_typed(visit, told["price"], asset)
    price = told["price"].replace(",", ".") if visit.renderer.language == "de" else told["price"]
    lines = [
        "[seller]", f"payee = {_quoted(payee or _ACCOUNT)}", "",
        "[[offer]]", f"path = {_quoted(told['path'])}", f"price = {_quoted(f'{price} {asset}')}",
    ]  # fmt: skip
    if told["per"] not in PERS:
        raise Malformed("malformed-form", "a price is for a call, a second or a byte")
    if told["per"] != "call":
        lines.append(f"per = {_quoted(told['per'])}")
    text = "\n".join(lines)
    try:
        read_prices(text.replace(_ACCOUNT, ""), visit.call.desk.ctx.assets)
    except BadConfig as fault:
        raise Malformed("malformed-form", fault.detail) from None
    return text


def _quoted(text: str) -> str:
    """Write a string as TOML has it: as JSON, whose escapes are all TOML's as well."""
    return json.dumps(text, ensure_ascii=False)


def _example(path: str) -> str:
    """Give the URL of an answer with this price, at a proxy on this machine."""
    parts = ["kiel" if part.startswith("{") else part for part in path.split("/")]
    return "http://127.0.0.1:8403" + "/".join("" if part == "*" else part for part in parts)
