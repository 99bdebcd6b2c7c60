"""The machine: any order of requests, on any engine, answers and balances as the model says.

An engine's test makes a subclass with its own `driver()`; see `test_ledger_machine.py`.
"""

from typing import NamedTuple

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from farthing.core.ledger import Account, Transfer, linked
from farthing.core.ledger import AccountFlags as A
from farthing.core.ledger import TransferFlags as F
from farthing.core.replay import Replay, counters
from tests.machines.driver import START_NS, CoreDriver, Driver
from tests.machines.model import Model
from tests.machines.objections import MOST, TOP

FIRST = [
    Account(1, ledger=1, code=1),
    Account(2, ledger=1, code=1, flags=A.DEBITS_MUST_NOT_EXCEED_CREDITS),
    Account(3, ledger=1, code=1, flags=A.DEBITS_MUST_NOT_EXCEED_CREDITS),
    Account(4, ledger=1, code=1, flags=A.CREDITS_MUST_NOT_EXCEED_DEBITS),
    Account(5, ledger=2, code=1),
    Account(6, ledger=2, code=1, flags=A.DEBITS_MUST_NOT_EXCEED_CREDITS),
]

SIDES = [(1, 2), (1, 3), (2, 3), (3, 2), (2, 1), (3, 1), (1, 4), (4, 1), (4, 2), (5, 6), (6, 5)]

amounts = st.one_of(st.integers(0, 12), st.integers(0, 12), st.sampled_from([MOST, MOST - 5]))
account_ids = st.sampled_from([0, 1, 2, 3, 5, 7, TOP])
transfer_ids = st.sampled_from([0, 1, 1000, 1001, TOP])
FIELDS = {
    "id": transfer_ids,
    "debit_account_id": account_ids,
    "credit_account_id": account_ids,
    "amount": amounts,
    "ledger": st.integers(0, 2),
    "code": st.integers(0, 2),
    "flags": st.one_of(st.integers(0, 1023), st.just(int(F.EXPIRED))),
    "pending_id": transfer_ids,
    "user_data": st.integers(0, 2),
    "timeout": st.sampled_from([0, 1, 2**32 - 1]),
    "timestamp": st.just(1),
}
some_change = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda name: FIELDS[name].map(lambda value: {name: value})
)
changes = st.one_of(st.just({}), st.just({}), st.just({}), some_change)
start_flags = st.sampled_from(
    [
        0, 0, 0, F.PENDING, F.PENDING, F.PENDING, F.BALANCING_DEBIT, F.BALANCING_CREDIT,
        F.PENDING | F.BALANCING_DEBIT, F.BALANCING_DEBIT | F.BALANCING_CREDIT,
        F.PENDING | F.CLOSING_DEBIT, F.PENDING | F.CLOSING_CREDIT,
    ]
)  # fmt: skip


class Start(NamedTuple):
    """A new transfer between two accounts of one ledger, but for what is changed."""

    sides: tuple[int, int]
    amount: int
    flags: int
    timeout: int
    user_data: int
    link: bool
    change: dict[str, int]


class End(NamedTuple):
    """A post or void of one of the holds asked for so far, the newest first."""

    which: int
    flags: int
    amount: int
    user_data: int
    link: bool
    change: dict[str, int]


class Again(NamedTuple):
    """A request that was sent before, perhaps with a field changed."""

    which: int
    change: dict[str, int]


links = st.sampled_from([False, False, False, True])
starts = st.builds(
    Start,
    st.sampled_from(SIDES),
    amounts,
    start_flags.map(int),
    st.integers(0, 3),
    st.integers(0, 1),
    links,
    changes,
)
ends = st.builds(
    End,
    st.integers(0, 5),
    st.sampled_from([F.POST_PENDING, F.POST_PENDING, F.VOID_PENDING]).map(int),
    st.one_of(st.sampled_from([0, MOST]), amounts),
    st.integers(0, 1),
    links,
    changes,
)
repeats = st.builds(Again, st.integers(0, 9), st.one_of(changes, some_change))
wishes = st.lists(st.one_of(starts, starts, ends, ends, repeats), min_size=1, max_size=6)

openings = st.builds(
    Account,
    id=st.sampled_from([0, 2, 7, 8, 9, TOP]),
    ledger=st.integers(0, 2),
    code=st.integers(0, 1),
    flags=st.one_of(st.sampled_from([0, 1, 2, 4]), st.integers(0, 63)),
    user_data=st.integers(0, 1),
    timestamp=st.sampled_from([0, 0, 0, 1]),
    credits_posted=st.sampled_from([0, 0, 0, 1]),
)


class LedgerMachine(RuleBasedStateMachine):
    """Any order of holds, captures, voids, chains and waiting keeps the books as the model says."""

    def driver(self) -> Driver:
        return CoreDriver()

    def __init__(self) -> None:
        super().__init__()
        self.books = self.driver()
        self.model = Model(START_NS)
        self.next_id = 999
        self.sent: list[Transfer] = []
        self.holds: list[int] = []

    @initialize()
    def begin(self) -> None:
        self._open(FIRST)
        self._post([Transfer(1, 1, 2, 20, 1, 1), Transfer(2, 5, 6, 20, 2, 1)])

    @rule(accounts=st.lists(openings, min_size=1, max_size=3))
    def open(self, accounts: list[Account]) -> None:
        self._open(accounts)

    @rule(wanted=wishes, chained=st.booleans())
    def post(self, wanted: list[Start | End | Again], chained: bool) -> None:
        batch = [self._request(wish) for wish in wanted]
        self._post(linked(batch) if chained else batch)

    # One millisecond more than whole seconds: no expiry falls within a few nanoseconds of now,
    # where an engine's own counting of book time would decide.
    @rule(seconds=st.integers(0, 3))
    def wait(self, seconds: int) -> None:
        self.books.advance(seconds * 1000 + 1)
        self.model.advance(seconds * 1000 + 1)

    def _open(self, accounts: list[Account]) -> None:
        assert self.books.open(accounts) == self.model.open(accounts)

    def _post(self, batch: list[Transfer]) -> None:
        assert self.books.post(batch) == self.model.post(batch)

    def _request(self, wish: Start | End | Again) -> Transfer:
        self.next_id += 1
        if isinstance(wish, Again) and self.sent:
            return self._sent(self.sent[-1 - wish.which % len(self.sent)], wish.change)
        if isinstance(wish, End) and self.holds:
            ended = self.holds[-1 - wish.which % len(self.holds)]
            request = Transfer(
                self.next_id, 0, 0, wish.amount, 0, 0, wish.flags | wish.link, ended, wish.user_data
            )
            return self._sent(request, wish.change)
        if not isinstance(wish, Start):
            wish = Start((1, 2), 3, int(F.PENDING), 1, 0, False, {})
        timeout = wish.timeout if wish.flags & F.PENDING else 0
        if wish.flags & F.PENDING:
            self.holds.append(self.next_id)
        request = Transfer(
            self.next_id,
            *wish.sides,
            wish.amount,
            ledger=1 if wish.sides[0] < 5 else 2,
            code=1,
            flags=wish.flags | wish.link,
            user_data=wish.user_data,
            timeout=timeout,
        )
        return self._sent(request, wish.change)

    def _sent(self, request: Transfer, change: dict[str, int]) -> Transfer:
        request = msgspec.structs.replace(request, **change)
        self.sent.append(request)
        return request

    @invariant()
    def balances_are_the_models(self) -> None:
        assert self.books.balances() == self.model.balances()

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        for ident, (held, paid, coming, had) in self.books.balances().items():
            flags = self.model.accounts[ident].flags
            assert not flags & 2 or held + paid <= had
            assert not flags & 4 or coming + had <= paid

    @invariant()
    def debits_equal_credits(self) -> None:
        sums: dict[int, list[int]] = {}
        for ident, (held, paid, coming, had) in self.books.balances().items():
            total = sums.setdefault(self.model.accounts[ident].ledger, [0, 0])
            total[0] += paid - had
            total[1] += held - coming
        assert all(total == [0, 0] for total in sums.values())

    def teardown(self) -> None:
        replay = Replay()
        stored = []
        for row in self.books.rows():
            if isinstance(row, Account):
                stored.append(row)
                replay.account(row)
            else:
                replay.transfer(row)
        replay.finish()
        replay.check_balances(stored)
        assert {a.id: counters(a) for a in replay.accounts.values()} == self.books.balances()
        self.books.close()
