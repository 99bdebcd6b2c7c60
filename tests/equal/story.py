"""A story: many operations drawn from one seed, each asked of a hub on every engine."""

from pathlib import Path

from farthing.testing.postgres import PostgresServer
from tests.equal import metering, owning, paying
from tests.equal.crowd import Crowd
from tests.equal.hubs import Hubs
from tests.equal.looking import look, look_at_everything


async def wait(crowd: Crowd) -> None:
    """Let time pass; most of the time somebody then looks for what is due."""
    crowd.clock.move(crowd.luck.choice([0.25, 1, 5, 11, 61, 61, 600, 3700, 90_000]))
    if crowd.chance(0.8):
        await crowd.hubs.look()


async def again(crowd: Crowd) -> None:
    """Send a request once more, byte for byte."""
    await crowd.send(crowd.one(crowd.sent))


async def many_again(crowd: Crowd) -> None:
    """Send some of the latest requests once more."""
    for ask in crowd.luck.sample(crowd.sent, min(4, len(crowd.sent))):
        await crowd.send(ask)


DOINGS = {
    paying.pay: 10,
    paying.authorise: 9,
    paying.settle: 14,
    paying.cancel: 3,
    paying.pay_again: 2,
    paying.batch_of_signed: 3,
    paying.batch_under_one: 3,
    paying.verify_exact: 4,
    paying.settle_exact: 5,
    metering.open_session: 5,
    metering.top_up: 4,
    metering.draw: 10,
    metering.draw_many: 3,
    metering.tick: 6,
    metering.finish: 4,
    metering.buy_batched: 8,
    metering.close_channel: 2,
    owning.make_owner: 1,
    owning.open_account: 1,
    owning.credit: 3,
    owning.account_state: 2,
    owning.make_mandate: 2,
    owning.change_mandate: 3,
    owning.enrol: 2,
    owning.change_device: 2,
    owning.set_offer: 4,
    owning.more_keys: 1,
    owning.restart: 1,
    look: 8,
    again: 5,
    many_again: 2,
    wait: 7,
}


async def tell(seed: int, doings: int, folder: Path, server: PostgresServer) -> Crowd:
    """Tell a seed's story, and compare everything in the end.

    Raises: Differs, with the operation that was not answered alike.
    """
    hubs = Hubs(folder, server)
    crowd = Crowd(seed, hubs)
    try:
        await hubs.open()
        await owning.settle(crowd)
        drawn = crowd.luck.choices(list(DOINGS), list(DOINGS.values()), k=doings)
        for doing in drawn:
            crowd.clock.move(0.001 * crowd.luck.randint(0, 400))
            await doing(crowd)
            await hubs.compare_heads()
        await look_at_everything(crowd)
        report = await hubs.compare()
        assert report.ok, report
    finally:
        await hubs.close()
    return crowd
