"""An independent model of the ledger: a list of what was accepted, and nothing else.

Every balance, state and closure is found by reading the whole list again, and every answer by
asking all objections in the documented order. It is slow, and easy to believe.
"""

from collections.abc import Iterator, Sequence

from farthing.core.ledger_types import Account, AccountResult, Transfer
from farthing.core.ledger_types import TransferFlags as F
from farthing.core.ledger_types import TransferResult as R
from tests.machines.objections import ENDS, MOST, SECOND, Accepted, Counters, Objections

MAY_PASS = {
    R.DEBIT_ACCOUNT_NOT_FOUND,
    R.CREDIT_ACCOUNT_NOT_FOUND,
    R.PENDING_TRANSFER_NOT_FOUND,
    R.DEBIT_ACCOUNT_ALREADY_CLOSED,
    R.CREDIT_ACCOUNT_ALREADY_CLOSED,
    R.EXCEEDS_CREDITS,
    R.EXCEEDS_DEBITS,
}


class Model(Objections):
    """What the ledger should be."""

    def __init__(self, clock_ns: int) -> None:
        self.clock_ns = clock_ns
        self.accounts: dict[int, Account] = {}
        self.happened: list[Accepted] = []
        self.failed: set[int] = set()

    def advance(self, milliseconds: int) -> None:
        self.clock_ns += milliseconds * 1_000_000
        for it in list(self.happened):
            if it.how == "held" and self.ending(it.ident) is None and self.ran_out(it):
                self.happened.append(
                    it._replace(ident=0, request=None, ends=it.ident, how="expired")
                )

    def open(self, accounts: Sequence[Account]) -> list[AccountResult]:
        return self._chains(accounts, self._open, AccountResult)

    def post(self, transfers: Sequence[Transfer]) -> list[R]:
        return self._chains(transfers, self._post, R)

    def _chains(self, events, accept, results):
        answers = []
        for chain in chains(events):
            if len(chain) == 1 and not chain[0].flags & F.LINKED:
                answers.append(accept(chain[0]))
                continue
            before = dict(self.accounts), list(self.happened)
            said = []
            for event in chain:
                is_open = event is chain[-1] and event.flags & F.LINKED
                said.append(results.LINKED_EVENT_CHAIN_OPEN if is_open else accept(event))
                if said[-1] != results.CREATED:
                    break
            if said[-1] != results.CREATED:
                self.accounts, self.happened = before
                broken = len(said) - 1
                rest = [results.LINKED_EVENT_FAILED] * len(chain)
                rest[broken] = said[-1]
                if chain[-1].flags & F.LINKED:
                    rest[-1] = results.LINKED_EVENT_CHAIN_OPEN
                said = rest
            answers += said
        return answers

    # What is so, read off the list.

    def counters(self, account: int) -> Counters:
        totals = dict.fromkeys(Counters._fields, 0)
        for it in self.happened:
            side = {it.debit: "debits", it.credit: "credits"}.get(account)
            if side is None:
                continue
            if it.ends:
                totals[f"{side}_pending"] -= self.found(it.ends).amount
            if it.how == "held":
                totals[f"{side}_pending"] += it.amount
            if it.how in ("moved", "posted"):
                totals[f"{side}_posted"] += it.amount
        return Counters(**totals)

    def balances(self) -> dict[int, Counters]:
        return {ident: self.counters(ident) for ident in self.accounts}

    def found(self, ident: int) -> Accepted | None:
        return next((it for it in self.happened if ident and it.ident == ident), None)

    def ending(self, ident: int) -> str | None:
        return next((it.how for it in self.happened if it.ends == ident), None)

    def is_closed(self, account: int) -> bool:
        for it in self.happened:
            if it.how == "held" and self.ending(it.ident) is None:
                if it.debit == account and it.request.flags & F.CLOSING_DEBIT:
                    return True
                if it.credit == account and it.request.flags & F.CLOSING_CREDIT:
                    return True
        return False

    def ran_out(self, it: Accepted) -> bool:
        timeout = it.request.timeout
        return timeout > 0 and self.clock_ns >= it.at_ns + timeout * SECOND

    # What is answered.

    def _open(self, a: Account) -> AccountResult:
        answer = next(self._against_account(a), AccountResult.CREATED)
        if answer is AccountResult.CREATED:
            self.accounts[a.id] = a
        return answer

    def _post(self, t: Transfer) -> R:
        answer = next(self._against(t), R.CREATED)
        if answer in MAY_PASS:
            self.failed.add(t.id)
        if answer is R.CREATED:
            self.happened.append(self._accepted(t))
        return answer

    def _accepted(self, t: Transfer) -> Accepted:
        if t.flags & ENDS:
            p = self.found(t.pending_id)
            how = "posted" if t.flags & F.POST_PENDING else "voided"
            data = t.user_data or p.user_data
            amount = self._meant(t, p)
            return Accepted(t.id, t, p.debit, p.credit, amount, data, p.ident, how, self.clock_ns)
        how = "held" if t.flags & F.PENDING else "moved"
        sides = t.debit_account_id, t.credit_account_id
        return Accepted(t.id, t, *sides, self._cut(t), t.user_data, 0, how, self.clock_ns)

    def _meant(self, t: Transfer, p: Accepted) -> int:
        if t.flags & F.VOID_PENDING:
            return t.amount or p.amount
        return p.amount if t.amount == MOST else t.amount

    def _cut(self, t: Transfer) -> int:
        d, c = self.counters(t.debit_account_id), self.counters(t.credit_account_id)
        limits = [t.amount]
        if t.flags & F.BALANCING_DEBIT:
            limits.append(max(0, d.credits_posted - d.debits_posted - d.debits_pending))
        if t.flags & F.BALANCING_CREDIT:
            limits.append(max(0, c.debits_posted - c.credits_posted - c.credits_pending))
        return min(limits)


def chains(events: Sequence) -> Iterator[list]:
    """Cut a batch into its chains; a single event is a chain of one."""
    chain = []
    for event in events:
        chain.append(event)
        if not event.flags & F.LINKED:
            yield chain
            chain = []
    if chain:
        yield chain
