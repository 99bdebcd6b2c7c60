"""An independent model of payments: every balance and budget is added up from all payments."""

from dataclasses import dataclass, field

from tests.machines.fees_model import Levy, take

DAY, HOUR = 86400, 3600
ASK_SECONDS, APPROVED_SECONDS = 900, 900
LARGEST, ASK_ABOVE, TWO_ABOVE = 30, 15, 18


@dataclass
class Paid:
    """One payment as it should be."""

    ident: str
    spender: int
    payer: str
    payee: str
    amount: int
    category: str
    hold: int
    state: str = ""
    reason: str = ""
    captured: int = 0
    refunded: int = 0
    ends: int = 0
    ask_ends: int = 0
    claimed: bool = True
    counted: list[tuple[str, int]] = field(default_factory=list)
    fees: list[Levy] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    approved: list[str] = field(default_factory=list)

    @property
    def is_unserved(self) -> bool:
        """Approved, and nobody has come for it."""
        return not (self.claimed or self.refunded) and self.state in ("held", "captured")


@dataclass
class Terms:
    """What a spender's mandate says."""

    day: int
    tea: int
    allows_in_silence: bool
    revoked: bool = False
    two: bool = True


class Model:
    """What the hub should say, and what should be in the accounts."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.credits: dict[str, int] = {}
        self.frozen: set[str] = set()
        self.terms: list[Terms] = []
        self.payments: dict[str, Paid] = {}
        self.asks: dict[tuple, str] = {}
        self.equals: dict[str, str] = {}
        self.removed: set[str] = set()

    def knows(self, ident: str) -> bool:
        return ident in self.payments or ident in self.equals

    def available(self, account: str) -> int:
        got = self.credits[account]
        for p in self.payments.values():
            if p.payee == account:
                got += p.captured - p.refunded - sum(f.units - f.returned for f in p.fees)
            if p.payer == account:
                got += p.refunded - p.captured - (p.amount if p.state == "held" else 0)
            got += sum(f.units - f.returned for f in p.fees if f.account == account)
        return got

    def used(self, spender: int, name: str, start: int) -> int:
        return sum(
            p.amount if p.state == "held" else p.captured
            for p in self.payments.values()
            if p.spender == spender and (name, start) in p.counted
        )

    def period(self, name: str) -> int:
        length = DAY if name == "day" else HOUR
        return self.now - self.now % length

    def pay(self, wish: Paid) -> tuple[str, str]:
        before = self.equals.get(wish.ident, wish.ident)
        if before in self.payments:
            return self._again(self.payments[before])
        if wish.payer == wish.payee:
            return "error", "same-account"
        refusal = self._rules(wish)
        if refusal:
            return self._refuse(wish, refusal)
        if wish.amount > ASK_ABOVE:
            return self._ask(wish)
        return self._take(wish, wish.hold)

    def cancel(self, wish: Paid) -> tuple[str, str]:
        p = self.payments.get(self.equals.get(wish.ident, wish.ident))
        if p is None and wish.payer == wish.payee:
            return "error", "same-account"
        if p is None or p.state == "awaiting":
            return self._refuse(p or wish, "cancelled")
        return p.state, p.reason

    def _again(self, p: Paid) -> tuple[str, str]:
        if p.is_unserved:
            p.claimed = True
        return p.state, p.reason

    def _rules(self, p: Paid) -> str:
        if p.payer in self.frozen:
            return "account-frozen"
        if p.payee in self.frozen:
            return "payee-frozen"
        if self.terms[p.spender].revoked:
            return "mandate-revoked"
        return "mandate-largest" if p.amount > LARGEST else ""

    def _refuse(self, p: Paid, reason: str) -> tuple[str, str]:
        self.payments[p.ident] = p
        p.state, p.reason = "refused", reason
        return "refused", reason

    def _ask(self, p: Paid) -> tuple[str, str]:
        key = (p.spender, p.payee, p.amount)
        first = self.payments.get(self.asks.get(key, ""))
        if first is not None and (first.state == "awaiting" or first.is_unserved):
            self.equals[p.ident] = first.ident
            return self._again(first)
        self.payments[p.ident] = p
        self.asks[key] = p.ident
        p.state, p.claimed, p.ask_ends = "awaiting", False, self.now + ASK_SECONDS
        return "awaiting", ""

    def _take(self, p: Paid, hold: int) -> tuple[str, str]:
        terms = self.terms[p.spender]
        limits = {"day": terms.day} | ({"tea": terms.tea} if p.category == "tea" else {})
        for name, limit in limits.items():
            if self.used(p.spender, name, self.period(name)) + p.amount > limit:
                return self._refuse(p, f"mandate-budget:{name}")
        if self.available(p.payer) < p.amount:
            return self._refuse(p, "insufficient-funds")
        self.payments[p.ident] = p
        p.counted = [(name, self.period(name)) for name in limits]
        if p.hold:
            p.state, p.ends = "held", self.now + hold
        else:
            p.state, p.captured = "captured", p.amount
            take(p.fees, p.captured, self.frozen)
        return p.state, ""

    def answer(self, ident: str, answer: str, who: str = "") -> tuple[str, str]:
        p = self.payments.get(ident)
        if p is None:
            return "error", "no-such-payment"
        if p.state != "awaiting":
            if not p.ask_ends:
                return "error", "not-awaiting"
            if answer == "lapse" or (p.state == "refused") == (answer == "deny"):
                return p.state, p.reason
            return "error", "already-answered"
        over = self.now >= p.ask_ends
        terms = self.terms[p.spender]
        two = terms.two and p.amount > TWO_ABOVE
        if who in self.removed and answer != "lapse":
            return "error", "no-such-person"
        if answer == "deny":
            p.said.append(who)
            return self._refuse(p, "denied")
        if not over and answer == "lapse":
            return "awaiting", ""
        if over and (two or not terms.allows_in_silence):
            p.said.append("")
            return self._refuse(p, "ask-expired")
        if two and not self._second(p, who):
            return ("awaiting", "") if who else ("error", "two-people-needed")
        p.said.append("" if over else who)
        refusal = self._rules(p)
        return self._refuse(p, refusal) if refusal else self._take(p, max(p.hold, APPROVED_SECONDS))

    def _second(self, p: Paid, who: str) -> bool:
        """Tell whether this is the second person's word; note the first one's."""
        others = [one for one in p.approved if one not in self.removed]
        if not who or who in others:
            return False
        p.approved.append(who)
        if not others:
            p.said.append(who)
        return bool(others)

    def remove(self, who: str) -> tuple[str, str]:
        self.removed.add(who)
        return "set", ""

    def capture(self, ident: str, units: int | None) -> tuple[str, str]:
        p = self.payments.get(ident)
        if p is None:
            return "error", "no-such-payment"
        wanted = p.amount if units is None else units
        if p.state == "captured":
            same = p.captured == wanted
            return ("captured", "") if same else ("error", "already-captured")
        if p.state != "held":
            return "error", "not-held"
        if not 0 < wanted <= p.amount:
            return "error", "capture-too-large"
        if {p.payer, p.payee} & self.frozen:
            return "error", "account-frozen"
        p.state, p.captured = "captured", wanted
        take(p.fees, wanted, self.frozen)
        return "captured", ""

    def void(self, ident: str) -> tuple[str, str]:
        p = self.payments.get(ident)
        if p is None:
            return "error", "no-such-payment"
        if p.state == "held":
            p.state = "voided"
        return (p.state, p.reason) if p.state in ("voided", "expired") else ("error", "not-held")

    def refund(self, ident: str, units: int | None) -> tuple[str, str]:
        p = self.payments.get(ident)
        if p is None:
            return "error", "no-such-payment"
        if p.state != "captured":
            return "error", "not-captured"
        left = p.captured - p.refunded
        wanted = left if units is None else units
        if left == 0:
            return "error", "already-refunded"
        if not 0 < wanted <= left:
            return "error", "refund-too-large"
        if {p.payer, p.payee} & self.frozen:
            return "error", "account-frozen"
        backs = self._backs(p, wanted)
        if self.available(p.payee) + sum(backs) < wanted:
            return "insufficient-seller-balance", ""
        p.refunded += wanted
        for levy, back in zip(p.fees, backs, strict=True):
            levy.returned += back
        return "done", ""

    def _backs(self, p: Paid, wanted: int) -> list[int]:
        """Say what each fee gives back: what is due, as far as its account has it."""
        found: list[int] = []
        for i, levy in enumerate(p.fees):
            has = 0 if levy.account in self.frozen else self.available(levy.account)
            same = zip(p.fees[:i], found, strict=True)
            has -= sum(gave for other, gave in same if other.account == levy.account)
            due = levy.owed_back(p.captured, p.refunded + wanted) - levy.returned
            found.append(max(0, min(due, has)))
        return found

    def credit(self, account: str, units: int) -> tuple[str, str]:
        if account in self.frozen:
            return "error", "credit-impossible"
        self.credits[account] += units
        return "open", ""

    def freeze(self, account: str, to: str) -> tuple[str, str]:
        (self.frozen.add if to == "frozen" else self.frozen.discard)(account)
        return to, ""

    def set_terms(self, spender: int, day: int, tea: int, two: bool) -> tuple[str, str]:
        terms = self.terms[spender]
        terms.day, terms.tea, terms.two = day, tea, two
        return "set", ""

    def revoke(self, spender: int) -> tuple[str, str]:
        self.terms[spender].revoked = True
        return "set", ""

    def expire(self) -> list[str]:
        over = [p for p in self.payments.values() if p.state == "held" and p.ends <= self.now]
        for p in over:
            p.state = "expired"
        return [p.ident for p in over]

    def lapsed(self) -> list[str]:
        waiting = (p for p in self.payments.values() if p.state == "awaiting")
        return [p.ident for p in waiting if p.ask_ends <= self.now]
