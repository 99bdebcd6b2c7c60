"""An independent model of sessions: plain counts, added up anew whenever somebody looks."""

from dataclasses import dataclass, field


@dataclass
class Drawn:
    """One session as it should be; what it took, deposit by deposit, once it is settled."""

    payer: int
    payee: int
    ends: int
    grace: int
    deposits: list[int]
    promised: int = 0
    closed: bool = False
    took: int = 0
    settled: list[bool] = field(default_factory=list)

    def shares(self) -> list[int]:
        left, found = self.took, []
        for deposit in self.deposits:
            found.append(min(left, deposit))
            left -= found[-1]
        return found


class Model:
    """What the hub should say, and what should be in the accounts."""

    def __init__(self, now: int, money: list[int], limit: int) -> None:
        self.now, self.money, self.limit = now, money, limit
        self.frozen: set[int] = set()
        self.revoked: dict[int, int] = {}
        self.sessions: dict[str, Drawn] = {}

    def held(self, payer: int) -> int:
        return sum(
            deposit
            for s in self.sessions.values()
            if s.payer == payer
            for deposit, done in zip(s.deposits, s.settled, strict=True)
            if not done
        )

    def taken(self, *, payer: int | None = None, payee: int | None = None) -> int:
        return sum(
            share
            for s in self.sessions.values()
            if payer in (None, s.payer) and payee in (None, s.payee)
            for share, done in zip(s.shares(), s.settled, strict=True)
            if done
        )

    def available(self, who: int) -> int:
        return self.money[who] - self.held(who) - self.taken(payer=who) + self.taken(payee=who)

    def used(self, payer: int) -> int:
        return self.held(payer) + self.taken(payer=payer)

    def _refusal(self, payer: int, payee: int, amount: int, session: Drawn | None) -> str:
        if payer in self.frozen:
            return "account-frozen"
        if payee in self.frozen:
            return "payee-frozen"
        if payer in self.revoked:
            return "mandate-revoked"
        if session is not None:
            if (session.payer, session.payee) != (payer, payee):
                return "no-such-session"
            if session.closed or self.now >= session.ends:
                return "session-over"
        if self.used(payer) + amount > self.limit:
            return "mandate-budget:day"
        return "insufficient-funds" if self.available(payer) < amount else ""

    def open(
        self, ident: str, payer: int, payee: int, amount: int, lifetime: int, grace: int
    ) -> str:
        why = self._refusal(payer, payee, amount, None)
        if not why:
            ends = self.now + lifetime
            self.sessions[ident] = Drawn(payer, payee, ends, grace, [amount], settled=[False])
        return why or "held"

    def top_up(self, ident: str, payer: int, payee: int, amount: int) -> str:
        session = self.sessions[ident]
        why = self._refusal(payer, payee, amount, session)
        if not why:
            session.deposits.append(amount)
            session.settled.append(False)
        return why or "held"

    def draw(self, ident: str, units: int, expiry: int, *, late: bool) -> str:
        s = self.sessions[ident]
        if s.closed:
            return "session-closed"
        if units == s.promised:
            return "yes"
        if units < s.promised:
            return "voucher-superseded"
        grace = s.grace if late else 0
        if self.now >= s.ends + grace:
            return "session-over"
        if self.now >= expiry + grace:
            return "voucher-expired"
        if s.payer in self.revoked and self.now >= self.revoked[s.payer] + grace:
            return "session-revoked"
        if s.payer in self.frozen and not late:
            return "account-frozen"
        if units > sum(s.deposits):
            return "voucher-beyond-deposit"
        s.promised = units
        return "yes"

    def end(self, ident: str) -> str:
        s = self.sessions[ident]
        if not s.closed and self.now < s.ends:
            s.ends = self.now
        return "closed" if s.closed else "open"

    def close(self, ident: str, units: int | None, *, due: bool) -> str:
        s = self.sessions[ident]
        if s.closed:
            return "closed" if units in (None, s.took) else "session-closed"
        if due and self.now < s.ends + s.grace:
            return "open"
        wanted = s.promised if units is None else units
        if wanted > s.promised:
            return "capture-too-large"
        s.closed, s.took = True, wanted
        return "closed"

    def settle(self, ident: str, n: int) -> str:
        s = self.sessions[ident]
        n %= len(s.deposits)
        share = s.shares()[n]
        if s.closed and not s.settled[n]:
            if share and self.frozen & {s.payer, s.payee}:
                return "account-frozen"
            s.settled[n] = True
        if not s.settled[n]:
            return "held"
        return "captured" if share else "voided"

    def due(self) -> set[str]:
        return {
            ident
            for ident, s in self.sessions.items()
            if not s.closed and self.now >= s.ends + s.grace
        }
