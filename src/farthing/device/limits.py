"""What a client is willing to sign, decided before anything is signed. Pure."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from farthing.clock import NS
from farthing.core.orders import LIFETIME_SECONDS_MAX, SKEW_SECONDS_MAX
from farthing.core.paths import AmbiguousPath, normal_path
from farthing.device.outcomes import WillNotPay
from farthing.money import Amount, Asset, parse_price
from farthing.protocols.client import Ask
from farthing.protocols.message_signatures import content_digest

DEFAULT_MAX = "0.05"
"""The largest payment, in any asset, that is signed without being told more."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The request that is really made, as far as an ask can speak of it.

    Shape: `target` is the path and query as sent; `authorization_used` tells that the request
           has an `Authorization` of its own, which MPP would need.
    """

    method: str
    target: str
    body: bytes
    authorization_used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be signed without asking anybody.

    Shape: `caps` is the largest single payment for each asset code; an asset without one is
           refused; `payees` is None when any payee will do; `prefer` is `mpp` or `x402`.
    """

    hub: str
    caps: Mapping[str, Amount]
    payees: Collection[str] | None = None
    prefer: str = "mpp"

    def choose(self, asks: Sequence[Ask], wanted: Wanted, now_ns: int) -> Ask:
        """Pick the ask to pay: one that says its price, of the preferred language if there is one.

        Raises: WillNotPay with the first ask's fault when none may be paid.
        """
        ranked = sorted(asks, key=lambda ask: (ask.at_most, ask.language != self.prefer))
        faults = [(ask, self.fault(ask, wanted, now_ns)) for ask in ranked]
        for ask, fault in faults:
            if fault is None:
                return ask
        # A 402 may also ask for another hub's money; the fault worth telling is of our own.
        ours = [fault for ask, fault in faults if fault and ask.hub == self.hub]
        raise next(iter(ours or [fault for _, fault in faults if fault]))

    def fault(self, ask: Ask, wanted: Wanted, now_ns: int) -> WillNotPay | None:
        """Say why an ask may not be paid, or None when it may."""
        if ask.hub != self.hub:
            return WillNotPay("another-hub", f"the seller wants money of the hub {ask.hub}")
        if self.payees is not None and ask.payee not in self.payees:
            return WillNotPay("payee-not-allowed", f"{ask.payee} is not among the allowed payees")
        return (
            self._price_fault(ask) or _binding_fault(ask, wanted) or _time_fault(ask, now_ns // NS)
        )

    def _price_fault(self, ask: Ask) -> WillNotPay | None:
        cap = self.caps.get(ask.asset)
        if cap is None:
            known = ", ".join(sorted(self.caps)) or "none"
            return WillNotPay("asset-not-allowed", f"{ask.asset} has no limit here; {known} have")
        if ask.amount <= cap.units:
            return None
        price = Amount(ask.amount, cap.asset)
        detail = f"the price is {price}, the limit {cap}; allow it with a higher limit (--max)"
        return WillNotPay("above-limit", detail, price=str(price), limit=str(cap))


def caps_of(
    told: str | Amount | Sequence[str | Amount] | None, assets: Mapping[str, Asset], standing: str
) -> dict[str, Amount]:
    """Work out the caps: what was told, else the purse's own, else the default for each asset.

    Raises: MalformedPrice.
    """
    if told is None:
        told = standing or [f"{DEFAULT_MAX} {code}" for code in assets]
    each = [told] if isinstance(told, str | Amount) else list(told)
    amounts = [parse_price(one, assets) if isinstance(one, str) else one for one in each]
    return {amount.asset.code: amount for amount in amounts}


def _binding_fault(ask: Ask, wanted: Wanted) -> WillNotPay | None:
    if wanted.authorization_used and ask.language == "mpp":
        detail = "the request has its own Authorization, the field that this payment needs"
        return WillNotPay("authorization-in-use", detail)
    if ask.resource and ask.resource not in _names_of(wanted):
        detail = f"the seller asks for {ask.resource!r}, this request is another one"
        return WillNotPay("another-resource", detail)
    if ask.body_digest and ask.body_digest != content_digest(wanted.body):
        return WillNotPay("another-body", "the seller's price is for another request body")
    return None


def _names_of(wanted: Wanted) -> set[str]:
    path, mark, query = wanted.target.partition("?")
    targets = {wanted.target}
    with contextlib.suppress(AmbiguousPath):
        targets.add(normal_path(path.encode()).raw + (mark + query if query else ""))
    methods = {wanted.method, *(["GET"] if wanted.method == "HEAD" else [])}
    return {f"{method} {target}" for method in methods for target in targets}


def _time_fault(ask: Ask, now_s: int) -> WillNotPay | None:
    if not ask.expires:
        return None
    if ask.expires <= now_s:
        return WillNotPay("challenge-expired", "the price came expired; check the device's clock")
    if ask.expires > now_s + LIFETIME_SECONDS_MAX + SKEW_SECONDS_MAX:
        return WillNotPay("challenge-too-long", "the seller wants a promise of more than an hour")
    return None
