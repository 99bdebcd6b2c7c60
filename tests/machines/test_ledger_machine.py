"""The pure decision against the independent model."""

import random

from hypothesis import settings

from farthing.core.ledger import TransferFlags as F
from tests.effort import examples
from tests.machines.ledger_machine import SIDES, Again, End, LedgerMachine, Start
from tests.machines.objections import MOST

TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=examples(80), stateful_step_count=30, deadline=None
)


def test_long_random_lives_keep_to_the_model():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(25):
        machine = LedgerMachine()
        machine.begin()
        for _ in range(25):
            machine.post(
                [a_wish(chance) for _ in range(chance.randint(1, 5))], chance.random() < 0.3
            )
            if chance.random() < 0.2:
                machine.wait(chance.randint(0, 2))
            machine.balances_are_the_models()
            machine.no_limit_is_exceeded()
        machine.teardown()


def a_wish(chance: random.Random) -> Start | End | Again:
    """A wish with one odd field in eight."""
    change = {}
    if chance.random() < 0.12:
        field = chance.choice(["debit_account_id", "credit_account_id", "amount", "code", "ledger"])
        change = {field: chance.choice([0, 1, 2, 3, 5, 9])}
    kind, amount = chance.random(), chance.choice([0, 1, 2, 3, 5, 8, 13, MOST])
    if kind < 0.1:
        return Again(chance.randrange(10), change)
    if kind < 0.4:
        flags = int(chance.choice([F.POST_PENDING, F.VOID_PENDING]))
        return End(chance.randrange(6), flags, amount, 0, False, change)
    flags = chance.choice([0, 0, F.PENDING, F.PENDING, F.BALANCING_DEBIT, F.BALANCING_CREDIT])
    if chance.random() < 0.03:
        flags = F.PENDING | F.CLOSING_CREDIT
    sides = chance.choice(SIDES)
    return Start(sides, amount % 100, int(flags), chance.randint(0, 3), 0, False, change)
