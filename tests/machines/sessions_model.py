"""An independent model of sessions: plain counts, added up anew whenever somebody looks."""

from dataclasses import dataclass, field

from tests.machines.fees_model import Levy, take_parts


@dataclass
class Drawn:
    """One session as it should be; what it took, deposit by deposit, once it is settled.

    Shape: `levies` are the fees it was opened under, `fees` what each deposit gave of them.
    """

    payer: int
    payee: int
    grace: int
    levies: list[Levy]
    ends: int = 0
    deposits: list[int] = field(default_factory=list)
    promised: int = 0
    sequence: int = 0
    drawn: bool = False
    ticks: int = 0
    tick: bytes = b""
    closed: bool = False
    took: int = 0
    settled: list[bool] = field(default_factory=list)
    refunded: list[int] = field(default_factory=list)
    fees: list[list[Levy]] = field(default_factory=list)

    def add(self, deposit: int) -> None:
        self.deposits.append(deposit)
        self.settled.append(False)
        self.refunded.append(0)
        self.fees.append([])

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

    def taken(self, payer: int) -> int:
        return sum(
            share
            for s in self.sessions.values()
            if s.payer == payer
            for share, done in zip(s.shares(), s.settled, strict=True)
            if done
        )

    def available(self, who: int) -> int:
        got = self.money[who] - self.held(who)
        for s in self.sessions.values():
            side = (s.payee == who) - (s.payer == who)
            for n, share in enumerate(s.shares()):
                if s.settled[n]:
                    got += side * (share - s.refunded[n])
            for levy in (levy for fees in s.fees for levy in fees):
                kept = levy.units - levy.returned
                got += kept * ((levy.account == who) - (s.payee == who))
        return got

    def used(self, payer: int) -> int:
        return self.held(payer) + self.taken(payer)

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

    def open(self, ident: str, new: Drawn, amount: int, lifetime: int) -> str:
        why = self._refusal(new.payer, new.payee, amount, None)
        if not why:
            new.ends = self.now + lifetime
            new.add(amount)
            self.sessions[ident] = new
        return why or "held"

    def top_up(self, ident: str, payer: int, payee: int, amount: int) -> str:
        session = self.sessions[ident]
        why = self._refusal(payer, payee, amount, session)
        if not why:
            session.add(amount)
        return why or "held"

    def draw(
        self,
        ident: str,
        units: int,
        expiry: int,
        *,
        late: bool,
        sequence: int = 1,
        ticks: int = 0,
        tick: bytes = b"",
    ) -> str:
        """Draw by a voucher, which has a ladder where there is a `tick`: its anchor, or one above.

        A ladder that promises as much as there is already goes on if its voucher is newer.
        """
        s = self.sessions[ident]
        if s.closed:
            return "session-closed"
        goes_on = bool(tick) and units == s.promised and sequence > s.sequence
        if s.drawn and not goes_on and units <= s.promised:
            return "yes" if units == s.promised else "voucher-superseded"
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
        s.promised, s.sequence, s.drawn = units, max(s.sequence, sequence), True
        s.ticks, s.tick = ticks, tick
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
            if share:
                s.fees[n] = self._given(s, n)
        if not s.settled[n]:
            return "held"
        return "captured" if share else "voided"

    def _given(self, s: Drawn, n: int) -> list[Levy]:
        """Say what a deposit gives of each fee; nothing to an account that is frozen now."""
        found = [levy.fresh() for levy in s.levies]
        for levy, units in zip(found, take_parts(s.levies, s.shares())[n], strict=True):
            levy.waived = bool(units) and levy.account in self.frozen
            levy.units = 0 if levy.waived else units
        return found

    def refund(self, ident: str, n: int, units: int | None) -> str:
        s = self.sessions[ident]
        n %= len(s.deposits)
        share = s.shares()[n]
        if not (s.settled[n] and share):
            return "not-captured"
        left = share - s.refunded[n]
        wanted = left if units is None else units
        if left == 0:
            return "already-refunded"
        if not 0 < wanted <= left:
            return "refund-too-large"
        if self.frozen & {s.payer, s.payee}:
            return "account-frozen"
        backs = self._backs(s.fees[n], share, s.refunded[n] + wanted)
        if self.available(s.payee) + sum(backs) < wanted:
            return "insufficient-seller-balance"
        s.refunded[n] += wanted
        for levy, back in zip(s.fees[n], backs, strict=True):
            levy.returned += back
        return "done"

    def _backs(self, fees: list[Levy], share: int, refunded: int) -> list[int]:
        """Say what each fee gives back: what is due, as far as its account has it."""
        has = {
            f.account: 0 if f.account in self.frozen else self.available(f.account) for f in fees
        }
        found: list[int] = []
        for levy in fees:
            due = levy.owed_back(share, refunded) - levy.returned
            found.append(max(0, min(due, has[levy.account])))
            has[levy.account] -= found[-1]
        return found

    def due(self) -> set[str]:
        return {
            ident
            for ident, s in self.sessions.items()
            if not s.closed and self.now >= s.ends + s.grace
        }
