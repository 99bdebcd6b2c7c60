"""The machine: any order of requests, on any engine, answers and balances as the model says.

An engine's test makes a subclass with its own `driver()`; see `test_ledger_machine.py`.
"""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from farthing.core.ledger import Account, Transfer
from farthing.core.ledger import AccountFlags as A
from farthing.core.ledger import TransferFlags as F
from farthing.core.replay import Replay, counters
from tests.machines.driver import START_NS, CoreDriver, Driver
from tests.machines.model import MOST, TOP, Model

FIRST = [
    Account(1, ledger=1, code=1),
    Account(2, ledger=1, code=1, flags=A.DEBITS_MUST_NOT_EXCEED_CREDITS),
    Account(3, ledger=1, code=1, flags=A.DEBITS_MUST_NOT_EXCEED_CREDITS),
    Account(4, ledger=1, code=1, flags=A.CREDITS_MUST_NOT_EXCEED_DEBITS),
    Account(5, ledger=2, code=1),
    Account(6, ledger=2, code=1, flags=A.DEBITS_MUST_NOT_EXCEED_CREDITS),
]

# Small worlds: ids repeat, holds are found, money runs out.
account_ids = st.sampled_from([1, 1, 2, 2, 3, 4, 5, 6, 7])
transfer_ids = st.integers(100, 160)
amounts = st.one_of(st.integers(0, 12), st.sampled_from([MOST, MOST - 5]))
odd_ids = st.sampled_from([0, TOP])
linked = st.sampled_from([0, 0, 0, F.LINKED])

start_flags = st.sampled_from(
    [
        0, 0, 0, F.PENDING, F.PENDING, F.BALANCING_DEBIT, F.BALANCING_CREDIT,
        F.PENDING | F.BALANCING_DEBIT, F.BALANCING_DEBIT | F.BALANCING_CREDIT,
        F.PENDING | F.CLOSING_DEBIT, F.PENDING | F.CLOSING_CREDIT,
    ]
)  # fmt: skip
starts = st.builds(
    lambda flags, link, timeout, **more: Transfer(
        flags=int(flags | link), timeout=timeout if flags & F.PENDING else 0, **more
    ),
    flags=start_flags,
    link=linked,
    timeout=st.integers(0, 3),
    id=transfer_ids,
    debit_account_id=account_ids,
    credit_account_id=account_ids,
    amount=amounts,
    ledger=st.sampled_from([1, 1, 1, 1, 2]),
    code=st.just(1),
    user_data=st.integers(0, 1),
)
ends = st.builds(
    lambda flags, link, **more: Transfer(flags=int(flags | link), **more),
    flags=st.sampled_from([F.POST_PENDING, F.POST_PENDING, F.VOID_PENDING]),
    link=linked,
    id=transfer_ids,
    pending_id=transfer_ids,
    debit_account_id=st.sampled_from([0, 0, 0, 1]),
    credit_account_id=st.sampled_from([0, 0, 0, 2]),
    amount=amounts,
    ledger=st.sampled_from([0, 0, 1]),
    code=st.sampled_from([0, 0, 1, 2]),
    user_data=st.integers(0, 1),
)
oddities = st.builds(
    Transfer,
    id=st.one_of(transfer_ids, odd_ids),
    debit_account_id=st.one_of(account_ids, odd_ids),
    credit_account_id=st.one_of(account_ids, odd_ids),
    amount=amounts,
    ledger=st.integers(0, 2),
    code=st.integers(0, 1),
    flags=st.one_of(st.integers(0, 1023), st.just(int(F.EXPIRED))),
    pending_id=st.one_of(st.just(0), transfer_ids, odd_ids),
    user_data=st.integers(0, 1),
    timeout=st.sampled_from([0, 0, 1, 2**32 - 1]),
    timestamp=st.sampled_from([0, 0, 0, 0, 1]),
)
requests = st.one_of(starts, starts, starts, ends, ends, oddities)
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

    @initialize()
    def begin(self) -> None:
        self._open(FIRST)
        self._post([Transfer(1, 1, 2, 20, 1, 1), Transfer(2, 5, 6, 20, 2, 1)])

    @rule(accounts=st.lists(openings, min_size=1, max_size=3))
    def open(self, accounts: list[Account]) -> None:
        self._open(accounts)

    @rule(batch=st.lists(requests, min_size=1, max_size=6))
    def post(self, batch: list[Transfer]) -> None:
        self._post(batch)

    @rule(transfer=starts)
    def post_twice(self, transfer: Transfer) -> None:
        self._post([transfer])
        self._post([transfer])

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
