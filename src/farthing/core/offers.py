"""Offers: price tags that an owner puts on what a machine has, by method and path pattern."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from farthing.clock import NS
from farthing.core.accounts import ACCOUNTS, AccountRecord, require_account
from farthing.core.decisions import Outcome, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.fees import FeeTerms
from farthing.core.records import Read, Table, Write
from farthing.core.usage import Usage
from farthing.errors import Conflict, Malformed, Missing


class OfferRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A price for requests of one method and path pattern.

    Units: `amount` counts smallest units; times are Unix seconds, 0 for none.
    Shape: `listed_at` is the origin under which anybody may find it; empty for nobody; `fee` is
           what its payee gives to another account of each payment; `usage` makes it metered, and
           `amount` is then what its reserve costs.
    """

    id: str
    owner: str
    payee: str
    method: str
    path: str
    asset: str
    amount: int
    description: str = ""
    category: str = ""
    valid_from: int = 0
    valid_until: int = 0
    free_for: list[str] = []
    created_ns: int = 0
    withdrawn_ns: int = 0
    listed_at: str = ""
    changed_ns: int = 0
    fee: FeeTerms | None = None
    usage: Usage | None = None


OFFERS = Table("offers", OfferRecord, "id", free=("description",))


@dataclass(frozen=True, slots=True)
class SetOffer:
    """Put a price tag on something; setting it again replaces it."""

    wanted: OfferRecord
    by: str | None
    creates: bool
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[OfferRecord]:
        """Check that the payee is the owner's own and counts the offer's asset."""
        account = require_account(view, self.wanted.payee, self.by)
        if account.asset != self.wanted.asset:
            raise Conflict("asset-mismatch", f"the payee's account counts {account.asset}")
        self._check_valid_sometime(view.now_ns // NS)
        self._check_fee(view, account)
        before = view.get(OFFERS, self.wanted.id)
        if self.creates and before is not None:
            raise Conflict("id-taken", "an offer has this id already")
        if not self.creates and (before is None or before.owner != account.owner):
            raise Missing("no-such-offer", "there is no such offer here")
        offer = msgspec.structs.replace(
            self.wanted,
            owner=account.owner,
            created_ns=before.created_ns if before is not None else view.now_ns,
            changed_ns=view.now_ns,
        )
        listed = offer.listed_at or None
        body = body_of(amount=offer.amount, asset=offer.asset, payee=offer.payee, listed_at=listed)
        fact = Fact(account.owner, Kind.OFFER_SET, offer.id, body)
        return state_change(view, offer, [fact], [Write(OFFERS, offer)])

    def _check_fee(self, view: View, payee: AccountRecord) -> None:
        fee = self.wanted.fee
        if fee is None:
            return
        account = view.get(ACCOUNTS, fee.account)
        if account is None:
            raise Missing("no-such-account", "the fee's account is not one of this hub")
        if account.id == payee.id:
            raise Conflict("same-account", "a fee goes to another account than the payee's")
        if account.asset != payee.asset:
            raise Conflict("asset-mismatch", f"the fee's account counts {account.asset}")

    def _check_valid_sometime(self, now: int) -> None:
        until = self.wanted.valid_until
        if 0 < until <= max(now, self.wanted.valid_from):
            detail = "valid_until is past, or not after valid_from: nobody could ever pay it"
            raise Malformed("offer-never-valid", detail)


@dataclass(frozen=True, slots=True)
class WithdrawOffer:
    """Take a price tag down; payments already held go on."""

    id: str
    owner: str | None
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[OfferRecord]:
        """Withdraw it; again is no harm."""
        offer = view.get(OFFERS, self.id)
        if offer is None or self.owner not in (None, offer.owner):
            raise Missing("no-such-offer", "there is no such offer here")
        if offer.withdrawn_ns:
            return Outcome(offer)
        after = msgspec.structs.replace(offer, withdrawn_ns=view.now_ns)
        fact = Fact(offer.owner, Kind.OFFER_WITHDRAWN, offer.id, {})
        return state_change(view, after, [fact], [Write(OFFERS, after)])
