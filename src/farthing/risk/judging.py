"""Judging: every rule looks at the facts, and what the rules say is weighed."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from farthing.core.judgements import CLEAR, Act, Judgement, Reason
from farthing.log_lines import Log
from farthing.risk.base import NEVER, Facts, Patient, Rule
from farthing.risk.typologies import Typology

log = Log("risk")

State = Literal["off", "shadow", "on"]

_ORDER = (Act.ALLOW, Act.ASK, Act.REFUSE)
_WEIGHED_MAX = 4096


class Armed(NamedTuple):
    """A rule with its name and how it is set. Shape: one in shadow speaks, and never acts."""

    name: str
    rule: Rule
    state: State = "on"


class _Heard(NamedTuple):
    """Which rules spoke, a bit for each, what they said, and which broke."""

    spoke: int
    reasons: list[Reason]
    failed: list[str]


class Weighed(NamedTuple):
    """What some rules' words come to together: what is done, and would be with those in shadow."""

    act: Act
    would: Act
    typologies: tuple[str, ...]


_NOTHING = Weighed(Act.ALLOW, Act.ALLOW, ())


class Judge:
    """Judges facts; it remembers nothing of them, so that equal facts are judged alike."""

    def __init__(self, rules: Sequence[Armed], typologies: Mapping[str, Typology]) -> None:
        self._rules = [one for one in rules if one.state != "off"]
        self._typologies = typologies
        # A rule is one bit: what a set of words comes to is weighed once, and then looked up.
        self._looks = [(1 << bit, one.rule.judge, one) for bit, one in enumerate(self._rules)]
        self._weighed: dict[int, Weighed] = {0: _NOTHING}
        self._broken: set[str] = set()
        patient = [one.rule for one in self._rules if isinstance(one.rule, Patient)]
        self._patient = patient if len(patient) == len(self._rules) else None

    def patience(self, facts: Facts) -> int:
        """Count orders from this one on of which nothing will be said: see `Patient`."""
        if self._patient is None:
            return 0
        return min([rule.patience(facts) for rule in self._patient], default=NEVER)

    def weigh(self, facts: Facts) -> Weighed:
        """Say what is to be done with an order, and not why. A rule that breaks says nothing."""
        spoke = 0
        try:
            for bit, look, _ in self._looks:
                if look(facts) is not None:
                    spoke |= bit
        except Exception:
            spoke = self._heard(facts).spoke
        return self._weighed.get(spoke) or self._weigh(spoke)

    def judge(self, facts: Facts) -> Judgement:
        """Say what is to be done with an order; a rule that breaks is named, and says nothing."""
        spoke, reasons, failed = self._heard(facts)
        if not (spoke or failed):
            return CLEAR
        act, would, typologies = self._weighed.get(spoke) or self._weigh(spoke)
        return Judgement(act, would, reasons, typologies, failed)

    def _heard(self, facts: Facts) -> "_Heard":
        heard = _Heard(0, [], [])
        for bit, look, one in self._looks:
            try:
                said = look(facts)
            except Exception as fault:
                heard.failed.append(one.name)
                self._say_once(one.name, fault)
                continue
            if said is not None:
                heard = heard._replace(spoke=heard.spoke | bit)
                heard.reasons.append(Reason(one.name, said, one.state == "on"))
        return heard

    def _say_once(self, name: str, fault: Exception) -> None:
        """Tell the operator of a rule that breaks, once until the next start."""
        if name not in self._broken:
            self._broken.add(name)
            log.error("risk.rule_failed", rule=name, why=fault)

    def _weigh(self, spoke: int) -> Weighed:
        said = [one for bit, one in enumerate(self._rules) if spoke >> bit & 1]
        names = {one.name for one in said}
        acting = {one.name for one in said if one.state == "on"}
        act, _ = self._strictest(acting)
        would, typologies = self._strictest(names)
        if len(self._weighed) >= _WEIGHED_MAX:
            self._weighed = {0: _NOTHING}
        found = self._weighed[spoke] = Weighed(act, would, typologies)
        return found

    def _strictest(self, spoke: set[str]) -> tuple[Act, tuple[str, ...]]:
        """Find the strictest that any typology asks for, and which ones ask for it."""
        acts = {
            name: typology.act(sum(w for rule, w in typology.weights.items() if rule in spoke))
            for name, typology in self._typologies.items()
        }
        strictest = max(acts.values(), key=_ORDER.index, default=Act.ALLOW)
        if strictest is Act.ALLOW:
            return strictest, ()
        return strictest, tuple(name for name, act in acts.items() if act is strictest)
