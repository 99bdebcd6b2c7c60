"""The rules as they come: what an owner would be asked about, and what goes through."""

from farthing.core.judgements import Act, Judgement
from farthing.risk.orders import Risk
from farthing.risk.settings import read_risk

from .orders import NOON, order

DAY = 86_400


def lived_in() -> Risk:
    """A device that buys six times a day at noon for two weeks, and others at its sellers."""
    risk = read_risk({})
    for day in range(14):
        for n in range(6):
            bought = order(payee=f"acc_{n % 2}", at=NOON + day * DAY + n * 300, place="home")
            assert risk.judge(bought).act is Act.ALLOW
            risk.keep(bought, paid=True)
    return risk


def rules(judgement: Judgement) -> set[str]:
    return {reason.rule for reason in judgement.reasons}


TODAY = NOON + 14 * DAY


def test_one_more_of_the_usual_is_allowed_without_a_word():
    assert not lived_in().judge(order(payee="acc_0", at=TODAY, place="home")).reasons


def test_a_new_seller_alone_bothers_nobody():
    judgement = lived_in().judge(order(payee="acc_9", at=TODAY, place="home"))
    assert (judgement.act, rules(judgement)) == (Act.ALLOW, {"new_payee"})


def test_a_stolen_key_is_asked_about_and_stopped_where_all_is_odd():
    risk = lived_in()
    asked = risk.judge(order(payee="acc_9", units=20_000, at=TODAY, place="home"))
    assert (asked.act, asked.typologies) == (Act.ASK, ("stolen_key",))
    stopped = risk.judge(order(payee="acc_9", units=20_000, at=TODAY, place="elsewhere"))
    assert (stopped.act, rules(stopped)) == (Act.REFUSE, {"new_payee", "new_place", "spike"})


def test_trying_out_is_asked_about_at_the_large_one():
    risk = lived_in()
    for n in range(6):
        tried = order(payee="acc_8", units=10, at=TODAY + n, place="home")
        assert risk.judge(tried).act is Act.ALLOW
        risk.keep(tried, paid=True)
    judgement = risk.judge(order(payee="acc_9", units=3000, at=TODAY + 9, place="home"))
    assert (judgement.act, judgement.typologies) == (Act.ASK, ("trying_out",))


def test_a_seller_overrun_by_strangers_is_asked_about():
    risk = lived_in()
    for n in range(25):
        for seller in ("acc_3", "acc_9"):
            risk.keep(order(device=f"dev_{n + 5}", payee=seller, at=TODAY + n), paid=True)
    judgement = risk.judge(order(payee="acc_9", at=TODAY + 60, place="home"))
    assert (judgement.act, judgement.typologies) == (Act.ASK, ("false_seller",))


def test_a_runaway_device_is_asked_about():
    risk = read_risk({"rules": {"velocity": {"orders_per_minute_max": 30}}})
    acts: list[Act] = []
    for n in range(31):
        acts.append(risk.judge(order(at=NOON + n)).act)
        risk.keep(order(at=NOON + n), paid=True)
    assert acts == [Act.ALLOW] * 30 + [Act.ASK]


def test_who_is_listed_is_stopped():
    risk = read_risk({"rules": {"listed": {"payees": ["acc_1"]}}})
    assert risk.judge(order()).act is Act.REFUSE
