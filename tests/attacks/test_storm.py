"""Everything at once on one account, one budget and the same payments: the sums still hold."""

import asyncio
import random

import pytest

from farthing import ids
from farthing.core.accounts import SetAccountState
from farthing.core.answers import AnswerAsk
from farthing.core.mandates import Budget
from farthing.core.payments import PAYMENTS, State
from farthing.core.refunds import GiveBack
from farthing.core.settling import Capture, Expire, Void
from farthing.errors import FarthingError, InvariantBroken
from farthing.store.queries import page

FUNDS, LIMIT = 500, 300


@pytest.mark.rule("asvs.15.4", on="hub")
async def test_a_storm_of_everything_loses_makes_and_doubles_nothing(world):
    chance = random.Random(7)
    day = Budget(name="day", per="day", limit=LIMIT)
    hour = Budget(name="tea", per="1h", limit=LIMIT // 2, categories=["tea"])
    spender = await world.spender(FUNDS, day, hour, ask_above=20, ask_seconds=60)
    payee = await world.account()
    mandate, served = spender.device.mandate, []
    units = [
        world.pay(
            spender, payee, chance.randint(1, 30), hold=chance.choice([0, 5, 60]),
            category=chance.choice(["", "tea"]),
        )
        for _ in range(60)
    ]  # fmt: skip
    names = [ids.name("pay", 0)]

    async def do(unit) -> None:
        await asyncio.sleep(0)
        try:
            answer = await world.do(unit)
        except InvariantBroken:
            raise
        except FarthingError:
            return
        payment = getattr(answer, "payment", None)
        if hasattr(payment, "state"):
            names.append(payment.id)
            if answer.fresh if hasattr(answer, "fresh") else False:
                served.append(payment.id)

    def some():
        name = chance.choice(names)
        part = chance.choice([None, 1, 3])
        return chance.choice(
            [
                lambda: chance.choice(units),
                lambda: Capture(name, None, part),
                lambda: Void(name, None),
                lambda: Expire(name),
                lambda: AnswerAsk(name, None, chance.choice(["approve", "deny", "lapse"])),
                lambda: GiveBack(ids.name("ref", world.fresh()), name, None, part, ""),
                lambda: SetAccountState(
                    chance.choice([spender.account, payee]), None,
                    chance.choice(["frozen", "open", "open"]), world.fresh(),
                ),
                lambda: world.set_mandate(
                    spender.device.owner,
                    Budget(name="day", per="day", limit=chance.choice([0, 50, LIMIT])),
                    hour, ident=mandate, ask_above=20, ask_seconds=60,
                ),
            ]
        )()  # fmt: skip

    for _ in range(12):
        await asyncio.gather(*[do(some()) for _ in range(100)])
        world.clock.move(chance.choice([0, 1, 7, 61]))
    for account in (spender.account, payee):
        await do(SetAccountState(account, None, "open", world.fresh()))
    world.clock.move(5000)
    await asyncio.gather(*[do(Expire(name)) for name in set(names)])
    await asyncio.gather(*[do(AnswerAsk(name, None, "lapse")) for name in set(names)])
    kept = await world.database.read(lambda tx: page(tx, PAYMENTS, {}, limit=500))
    moved = sum(payment.captured - payment.refunded for payment in kept)
    assert await world.available(spender.account) == FUNDS - moved
    assert await world.available(payee) == moved
    assert len(served) == len(set(served))
    assert {p.state for p in kept} <= {
        State.CAPTURED, State.VOIDED, State.EXPIRED, State.REFUSED
    }  # fmt: skip
    assert moved > 0
