"""How each noun is shown to a person; scripts take --json."""

from decimal import Decimal

from farthing.money import Amount, Asset
from farthing.terminal.tables import Row, listing
from farthing.terminal.talk import Lines

TEST_MONEY = "All of this is test money."
_NO_ACCOUNTS = "No accounts yet: farthing accounts open USD"


def money_text(units: str, code: str, assets: dict[str, Asset]) -> str:
    """Write units as a price."""
    asset = assets.get(code)
    if asset is None:
        return f"{units} units of {code}"
    return ("-" if units.startswith("-") else "") + str(Amount(int(units.lstrip("-")), asset))


def ended(item: Row, member: str, word: str) -> str:
    """Say since when something no longer holds, or that it is open."""
    return f"{word} {item[member]}" if item[member] else "open"


owners = listing(
    "owner name zone",
    lambda o: (o["id"], o["name"], o["time_zone"]),
    none="No owners yet: farthing owners create NAME",
)
accounts = listing(
    "account asset state name",
    lambda a: (a["id"], a["asset"], a["state"], a["name"]),
    none=_NO_ACCOUNTS,
)
devices = listing(
    "device account mandate state name",
    lambda d: (d["id"], d["account"], d["mandate"], ended(d, "revoked_at", "revoked"), d["name"]),
    none="No devices yet: farthing devices invite acc_… man_…",
)
keys = listing(
    "key scopes state label",
    lambda k: (k["id"], ",".join(k["scopes"]), ended(k, "revoked_at", "revoked"), k["label"]),
    none="No API keys yet: farthing keys create SCOPE",
)

webhooks = listing(
    "webhook state url label",
    lambda w: (
        w["id"],
        f"off: {w['why']}" if w["state"] == "off" else w["state"],
        w["url"],
        w["label"],
    ),
    none="No webhooks yet: farthing webhooks add URL",
)
movements = listing(
    "id account units asset state money",
    lambda m: (m["id"], m["account"], m["units"], m["asset"], _stands(m), m["money"]),
    right=(2,),
    none="Nothing yet: farthing topups create acc_… AMOUNT",
)
cases = listing(
    "case payment device payee state",
    lambda c: (c["id"], c["payment"], c["device"], c["payee"], _looked_at(c)),
    none="Nothing waits to be looked at.",
)
deliveries = listing(
    "at event kind try answer ms",
    lambda d: (d["at"], d["event"], d["kind"], str(d["attempt"]), _answered(d), str(d["took_ms"])),
    right=(3, 5),
    none="Nothing was sent yet.",
)


def _looked_at(case: Row) -> str:
    by = case["decided_by"] or case["proposed_by"]
    return f"{case['state']}: {case['verdict']}, {by}" if by else case["state"]


def _stands(movement: Row) -> str:
    waits = "" if movement["booked"] else "…"
    return f"{movement['state']}{waits} {movement['reason'] or ''}".strip()


def _answered(delivery: Row) -> str:
    told = [str(delivery[name]) for name in ("status", "fault") if delivery[name] is not None]
    return " ".join(told)


def balances(assets: dict[str, Asset]) -> Lines:
    """Show accounts with what they hold."""
    return listing(
        "account available state name",
        lambda a: (
            a["id"],
            money_text(a["balance"]["available"], a["asset"], assets),
            a["state"],
            a["name"],
        ),
        right=(1,),
        none=_NO_ACCOUNTS,
    )


def mandates(assets: dict[str, Asset]) -> Lines:
    """Show mandates with what they allow."""
    return listing(
        "mandate state name allows",
        lambda m: (m["id"], ended(m, "revoked_at", "revoked"), m["name"], _allows(m, assets)),
        none="No mandates yet: farthing mandates create USD",
    )


def _allows(mandate: Row, assets: dict[str, Asset]) -> str:
    code, largest, line = mandate["asset"], mandate["largest"], mandate["ask_above"]
    told = [f"at most {money_text(largest, code, assets)}"] if largest else []
    told += [f"{money_text(b['limit'], code, assets)}/{b['per']}" for b in mandate["budgets"]]
    told += [f"asks above {money_text(line, code, assets)}"] if line else []
    if two := mandate["two_above"]:
        told.append(f"asks two people above {money_text(two, code, assets)}")
    if proposed := mandate["proposed"]:
        told.append(f"{proposed['by']} wants {_line_wanted(proposed['wanted'], assets)}")
    told += [f"only {', '.join(mandate[rule])}" for rule in _LISTS if mandate[rule]]
    told += [f"until {mandate['expires']}"] if mandate["expires"] else []
    return ", ".join(told) or f"anything in {code}"


def _line_wanted(wanted: Row, assets: dict[str, Asset]) -> str:
    """Say from where on two people are wanted by who wants it otherwise."""
    two = wanted["two_above"]
    return (
        f"two people above {money_text(two, wanted['asset'], assets)}" if two else "no second one"
    )


_LISTS = ("payees", "categories", "hours")


def offers(assets: dict[str, Asset]) -> Lines:
    """Show offers with their prices."""
    return listing(
        "offer method path price payee state",
        lambda o: (
            o["id"],
            o["method"],
            o["path"],
            _price(o, assets),
            o["payee"],
            ", ".join([ended(o, "withdrawn_at", "withdrawn"), *_share(o, assets)]),
        ),
        right=(3,),
        none="No offers yet: farthing offers create acc_… /path PRICE",
    )


def _price(offer: Row, assets: dict[str, Asset]) -> str:
    """Write an offer's price; of a metered one what its reserve costs, and of what."""
    text = money_text(offer["amount"], offer["asset"], assets)
    metered = offer.get("metered")
    if not metered:
        return text
    return f"{text} per {metered['reserve']} {metered['tariff']['counts']}"


def _share(offer: Row, assets: dict[str, Asset]) -> list[str]:
    fee = offer.get("fee")
    if not fee:
        return []
    parts = [f"{Decimal(fee['ppm']) / 10_000} %"] if fee["ppm"] else []
    parts += [money_text(fee["flat"], offer["asset"], assets)] if fee["flat"] != "0" else []
    return [f"gives {' + '.join(parts) or 'a minimum'} to {fee['account']}"]


def fees(assets: dict[str, Asset]) -> Lines:
    """Show what fees came to: since when, of what, for whom, how much."""
    return listing(
        "since of account payments taken returned",
        lambda f: (
            f["since"],
            f["of"],
            f["account"],
            str(f["payments"]),
            money_text(f["taken"], f["asset"], assets),
            money_text(f["returned"], f["asset"], assets),
        ),
        right=(3, 4, 5),
        none="No fees in that time.",
    )


def payments(assets: dict[str, Asset]) -> Lines:
    """Show payments: when, which, how it stands, how much, to whom, for what."""
    return listing(
        "when payment state amount payee resource why",
        lambda p: _payment(p, assets),
        right=(3,),
        none="No such payments yet.",
    )


def _payment(item: Row, assets: dict[str, Asset]) -> tuple[str, ...]:
    code, taken, back = item["asset"], item["captured"], item["refunded"]
    told = [item["reason"]] if item["reason"] else []
    if taken not in ("0", item["amount"]):
        told.append(f"{money_text(taken, code, assets)} of it")
    if back != "0":
        told.append(f"{money_text(back, code, assets)} back")
    told += [f"{_SAID[one['answer']]} by {_who(one)}" for one in item.get("answers", [])]
    if taken := sum(int(fee["units"]) - int(fee["returned"]) for fee in item.get("fees", [])):
        told.append(f"{money_text(str(taken), code, assets)} fee")
    amount, when = money_text(item["amount"], code, assets), item["created_at"][:19]
    what = item["resource"] or ""
    return (when, item["id"], item["state"], amount, item["payee"], what, ", ".join(told))


_SAID = {"approve": "approved", "deny": "denied"}


def _who(said: Row) -> str:
    """Say who answered, and how: the deadline is nobody's word."""
    return f"{said['by']} ({said['means']})" if said["by"] else f"the {said['means']}"
