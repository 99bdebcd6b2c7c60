"""How amounts, reasons and moments are written for people."""

from farthing.demo.cast import USD
from farthing.money import Amount

REASONS = {
    "mandate-revoked": "its mandate was revoked",
    "mandate-expired": "its mandate has expired",
    "mandate-payee": "not a shop it may pay",
    "mandate-category": "not a thing it may buy",
    "mandate-hours": "not at this hour",
    "mandate-largest": "above its largest payment",
    "mandate-budget": "its budget is used up",
    "insufficient-funds": "not enough money",
    "denied": "its owner said no",
    "ask-expired": "its owner did not answer",
    "cancelled": "its device cancelled it",
    "device-revoked": "its owner revoked it",
}


def number(units: int) -> str:
    """Write an amount without its asset: `0.0015`, never rounded."""
    return str(Amount(units, USD)).removesuffix(f" {USD.code}")


def price(units: int) -> str:
    """Write an amount with its asset: `0.0015 USD`."""
    return str(Amount(units, USD))


def aligned(units: int) -> str:
    """Write an amount so that a column of them stands right-aligned at the point."""
    whole, _, part = number(units).partition(".")
    return f"{whole}.{part:<{USD.scale}}" if part else f"{whole:<{len(whole) + 1 + USD.scale}}"


def reason(code: str) -> str:
    """Say a refusal's reason in plain words."""
    return REASONS.get(code, code.replace("-", " "))


def moment(seconds: float) -> str:
    """Write a time since the start: `0:07`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def milliseconds(value: float) -> str:
    """Write a latency: whole milliseconds from ten on, tenths below."""
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
