"""Vectors of sessions: tariffs with what counts cost, and vouchers byte for byte."""

from typing import Any

from farthing import keys
from farthing.clock import parse_time
from farthing.codec import to_base64url
from farthing.core.ladders import Climber
from farthing.core.sessions import Opening, alias_of
from farthing.core.tariffs import Tariff, Tier, checked, flat_rate, owed
from farthing.core.ticks import Ladder, Tick, write_tick
from farthing.core.vouchers import Agreed, Claims, read_voucher, sign_voucher

SIGNER = keys.Ed25519Signer(bytes(range(1, 33)))
SESSION = "ses_01kaqqvmr0000000000000000g"
PAYEE = "acc_01kaqqvmr00000000000000001"
EXPIRY = parse_time("2026-11-22T22:00:00Z")

_STEPS = [Tier(amount="10", up_to="100"), Tier(amount="8", up_to="1000"), Tier(amount="5")]
TARIFFS = {
    "a fraction of a unit for each byte": (
        flat_rate("USD", "byte", 1, 1_000_000, rounding="down"),
        (0, 1, 999_999, 1_000_000, 2**40),
    ),
    "a price per kWh, counted in Wh, with a fee to begin and a minimum": (
        flat_rate("USD", "Wh", 300_000, 1000, opening="50000", minimum="100000"),
        (0, 1, 166, 167, 12_345),
    ),
    "seconds, half to even": (
        flat_rate("USD", "second", 1, 2, rounding="half-even"),
        (1, 3, 5, 7),
    ),
    "steps, each part by its own": (
        checked(Tariff(asset="USD", counts="request", tiers=_STEPS)),
        (0, 100, 101, 1000, 1001, 2000),
    ),
    "steps, all by the last": (
        checked(Tariff(asset="USD", counts="request", model="volume", tiers=_STEPS)),
        (0, 100, 101, 1000, 1001, 2000),
    ),
    "packages of a thousand": (
        checked(
            Tariff(
                asset="USD",
                counts="token",
                model="package",
                tiers=[Tier(amount="2000", per="1000")],
            )
        ),
        (0, 1, 1000, 1001),
    ),
}


def sessions() -> dict[str, Any]:
    """Write the file `sessions.json`."""
    tariff = TARIFFS["steps, each part by its own"][0]
    agreed = Agreed(SESSION, PAYEE, "USD", tariff.digest())
    return {
        "secret_hex": SIGNER.seed.hex(),
        "public": SIGNER.public,
        "tariffs": [
            {
                "name": name,
                "members": tariff.members(),
                "canonical": tariff.written().decode(),
                "hash": to_base64url(tariff.digest()),
                "owed": {str(count): str(owed(tariff, count)) for count in counts},
            }
            for name, (tariff, counts) in TARIFFS.items()
        ],
        "opening": {
            "lifetime_seconds": 3600,
            "grace_seconds": 600,
            "purpose": "GET /readings",
            "resource": Opening(tariff.digest(), 3600, 600, "GET /readings").resource(),
        },
        "agreed": {
            "session": SESSION,
            "payee": PAYEE,
            "asset": "USD",
            "tariff": to_base64url(tariff.digest()),
            "signed_along_hex": agreed.signed_along().hex(),
        },
        "good": [_voucher(agreed, *case) for case in _CASES],
        "bad": [{"name": name, "voucher_hex": raw.hex()} for name, raw in _bad(agreed)],
        "ladder": _ladder(agreed),
    }


def _ladder(agreed: Agreed) -> dict[str, Any]:
    """Write a voucher that commits to a ladder, and some of its ticks."""
    alias, most, each = alias_of(agreed.session), 1000, 25
    climber = Climber(alias, bytes(range(16)), most)
    claims = Claims(alias, 500, 2, EXPIRY, climber.ladder(each))
    raw = sign_voucher(SIGNER, agreed, claims)
    return {
        "seed_hex": bytes(range(16)).hex(),
        "anchor_hex": climber.value(0).hex(),
        "each": str(each),
        "most": most,
        "units": "500",
        "signed_hex": read_voucher(raw).signed_bytes(agreed).hex(),
        "voucher_hex": raw.hex(),
        "ticks": [
            {
                "count": count,
                "tick_hex": write_tick(Tick(alias, *climber.rung(count))).hex(),
                "promised": str(500 + count * each),
            }
            for count in (1, 2, 600, 1000)
        ],
    }


_CASES = [(1, 0), (1500, 1), (123_456, 77), (2**32, 300), (2**63 - 1, 2**53 - 1)]


def _voucher(agreed: Agreed, units: int, sequence: int) -> dict[str, Any]:
    claims = Claims(alias_of(agreed.session), units, sequence, EXPIRY)
    raw = sign_voucher(SIGNER, agreed, claims)
    return {
        "alias_hex": claims.alias.hex(),
        "units": str(units),
        "sequence": str(sequence),
        "expiry": EXPIRY,
        "signed_hex": read_voucher(raw).signed_bytes(agreed).hex(),
        "voucher_hex": raw.hex(),
    }


def _bad(agreed: Agreed) -> list[tuple[str, bytes]]:
    raw = sign_voucher(SIGNER, agreed, Claims(alias_of(agreed.session), 1500, 1, EXPIRY))
    climber = Climber(alias_of(agreed.session), bytes(16), 9)
    short = climber.ladder(1)._replace(anchor=bytes(15))
    payload = bytes.fromhex("1905dc")  # 1500, in its shortest form.
    return [
        ("nothing", b""),
        ("cut short", raw[:-1]),
        ("a byte too many", raw + b"\0"),
        ("tagged", b"\xd2" + raw),
        ("units not in their shortest form", raw.replace(payload, b"\x1a\x00\x00\x05\xdc")),
        ("a ladder without a tick", _laddered(agreed, climber.ladder(1)._replace(most=0))),
        ("ticks worth nothing", _laddered(agreed, climber.ladder(0))),
        ("an anchor of 15 bytes", _laddered(agreed, short)),
        ("a ladder too long", _laddered(agreed, climber.ladder(1)._replace(most=65_537))),
        ("more than 63 bits in all", _laddered(agreed, climber.ladder(2**62))),
        ("another algorithm", raw.replace(b"\xa1\x01\x27", b"\xa1\x01\x38")),
    ]


def _laddered(agreed: Agreed, ladder: Ladder) -> bytes:
    return sign_voucher(SIGNER, agreed, Claims(alias_of(agreed.session), 0, 1, EXPIRY, ladder))
