"""Accounts, and what is taken of them."""

from typing import NotRequired, TypedDict


class Balance(TypedDict):
    """What an account holds, in units."""

    available: str
    held: str
    incoming: str
    received: str
    spent: str


class AccountAnswer(TypedDict):
    """An account."""

    id: str
    owner: str
    asset: str
    name: str
    state: str
    frozen_by: str | None
    money: str
    created_at: str
    balance: NotRequired[Balance]


class CreditAnswer(TypedDict):
    """Test money that was put into an account."""

    account: str
    units: str
    asset: str
    money: str


class FeeTermsAnswer(TypedDict):
    """What is taken of a captured amount, and for which account; `ppm` is in millionths."""

    account: str
    ppm: int
    flat: str
    minimum: str
    rounding: str
    on_refund: str


class FeeAnswer(FeeTermsAnswer):
    """A fee of a payment: what it took, and what of it went back; `of` is hub, or an offer."""

    of: str
    units: str
    returned: str
    waived: bool


class FeeTotalAnswer(TypedDict):
    """What one fee came to for one account in the period that begins at `since`.

    `of` is hub, or an offer; `payments` counts those that gave it in the period.
    """

    since: str
    of: str
    account: str
    asset: str
    taken: str
    returned: str
    payments: int


class MovementAnswer(TypedDict):
    """A top-up or a payout. `booked` tells whether the ledger has what the rail said last.

    `money` is test where the rail moves none.
    """

    id: str
    account: str
    rail: str
    asset: str
    units: str
    place: str
    state: str
    reason: str | None
    rail_reference: str | None
    booked: bool
    money: str
    created_at: str
    changed_at: str
