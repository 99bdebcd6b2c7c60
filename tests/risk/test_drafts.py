"""A commit's orders know each other, and are known to nobody else before it is durable."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.core.judgements import CLEAR, Act, Kept, Ordered
from farthing.risk.drafts import RiskDraft
from farthing.risk.judging import Armed, Judge
from farthing.risk.memory import Memory
from farthing.risk.rules.new_payee import NewPayee
from farthing.risk.typologies import Typology

from .orders import NOON, order

NO_RULES = Judge([], {})
SHY = Judge(
    [Armed("new_payee", NewPayee(payments_min=1), "shadow")],
    {"bold": Typology({"new_payee": 10}, review=10)},
)

ORDERS = st.builds(
    Ordered,
    device=st.sampled_from(["dev_1", "dev_2", "dev_3"]),
    payee=st.sampled_from(["acc_1", "acc_2", "acc_3"]),
    units=st.integers(1, 1000),
    at=st.integers(NOON, NOON + 4 * 86_400),
    place=st.sampled_from(["", "home", "away"]),
)
KEPT = st.builds(
    Kept, ORDERS, st.booleans(), st.booleans(), st.sampled_from([(), ("bold",), ("bold", "odd")])
)


def by_time(commits):
    """Let time go on from one to the next, as it does in the books."""
    times = iter(sorted(kept.ordered.at for commit in commits for kept in commit))
    return [
        [replace(kept, ordered=at(kept.ordered, next(times))) for kept in commit]
        for commit in commits
    ]


def at(ordered, when):
    return Ordered(ordered.device, ordered.payee, ordered.units, when, place=ordered.place)


def everything(memory, when):
    """What is known of everybody, at a moment."""
    return [
        memory.facts(Ordered(f"dev_{device}", f"acc_{payee}", 1, when, place="home"))
        for device in (1, 2, 3)
        for payee in (1, 2, 3)
    ]


@given(st.lists(st.lists(KEPT, max_size=8), min_size=1, max_size=5))
def test_commits_leave_what_their_orders_leave_one_by_one(told):
    commits, memory, alone = by_time(told), Memory(), Memory()
    for commit in commits:
        draft = RiskDraft(memory, NO_RULES)
        for kept in commit:
            draft.judge(kept.ordered)
            draft.keep(kept)
            alone.add(kept)
        draft.settle()
        when = max([kept.ordered.at for kept in commit], default=NOON)
        assert everything(memory, when) == everything(alone, when)
    assert memory.known == alone.known


@given(st.lists(KEPT, min_size=1, max_size=8), st.lists(KEPT, max_size=8))
def test_a_draft_that_comes_to_nothing_leaves_what_was_known(before, given_up):
    before, given_up = by_time([before, given_up])
    memory = Memory()
    for kept in before:
        memory.add(kept)
    when = max(kept.ordered.at for kept in [*before, *given_up])
    known = everything(memory, when)
    draft = RiskDraft(memory, NO_RULES)
    for kept in given_up:
        draft.judge(kept.ordered)
        draft.keep(kept)
    assert everything(memory, when) == known


def test_what_another_looked_at_later_is_nothing_to_whom_begins_anew():
    Memory().facts(order(at=NOON + 86_400))
    draft = RiskDraft(Memory(), Judge([Armed("again", Again())], {"x": Typology({"again": 1}, 1)}))
    assert draft.judge(order(at=NOON)) == CLEAR
    draft.keep(Kept(order(at=NOON), paid=True))
    assert draft.judge(order(at=NOON)).act is Act.ASK
    draft.keep(Kept(order(at=NOON), paid=True))
    assert draft.judge(order(at=NOON + 120)) == CLEAR


class Again:
    """A rule that speaks of a second order within a minute."""

    def judge(self, facts):
        return "again" if facts.minute_orders else None


def test_what_is_only_watched_is_said_once_an_hour_of_a_device():
    draft = RiskDraft(Memory(), SHY)
    draft.keep(Kept(order(payee="acc_1", at=NOON), paid=True))
    odd = order(payee="acc_2", at=NOON + 60)
    judgement = draft.judge(odd)
    assert (judgement.act, judgement.would) == (Act.ALLOW, Act.ASK)
    assert draft.judge(odd) == judgement  # Looking is not telling.
    draft.keep(Kept(odd, paid=True, flagged=judgement.typologies))
    assert draft.judge(order(payee="acc_3", at=NOON + 90)) == CLEAR
    assert draft.judge(order(payee="acc_3", at=NOON + 3600)).would is Act.ASK
