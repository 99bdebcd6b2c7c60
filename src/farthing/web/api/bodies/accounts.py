"""Accounts, and what moves into and out of them."""

from farthing.web.api.bodies.base import Body, Ident, NameOrNone, Text, Units


class AccountBody(Body, frozen=True, kw_only=True):
    """A new account in one asset."""

    asset: Text
    name: NameOrNone = ""
    owner: Ident | None = None


class CreditBody(Body, frozen=True, kw_only=True):
    """Test money for an account."""

    account: Ident
    units: Units
    asset: Text


class MovementBody(Body, frozen=True, kw_only=True):
    """A top-up or a payout; `place` is where from or where to, in the rail's own words."""

    account: Ident
    units: Units
    asset: Text
    rail: Text = "simulated"
    place: Text = ""
