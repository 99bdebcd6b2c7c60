"""Judging: every rule looks at the facts, and what the rules say is weighed."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from farthing.core.judgements import CLEAR, Act, Judgement, Reason
from farthing.risk.base import Facts, Rule
from farthing.risk.typologies import Typology

State = Literal["off", "shadow", "on"]

_ORDER = (Act.ALLOW, Act.ASK, Act.REFUSE)
_WEIGHED_MAX = 4096


class Armed(NamedTuple):
    """A rule with its name and how it is set. Shape: one in shadow speaks, and never acts."""

    name: str
    rule: Rule
    state: State = "on"


class _Weighed(NamedTuple):
    """What some rules' words come to together."""

    act: Act
    would: Act
    typologies: Sequence[str]


class Judge:
    """Judges facts; it remembers nothing of them, so that equal facts are judged alike."""

    def __init__(self, rules: Sequence[Armed], typologies: Mapping[str, Typology]) -> None:
        self._rules = [one for one in rules if one.state != "off"]
        self._typologies = typologies
        # A rule is one bit: what a set of words comes to is weighed once, and then looked up.
        self._looks = [
            (1 << bit, one.name, one.rule.judge, one.state == "on")
            for bit, one in enumerate(self._rules)
        ]
        self._weighed: dict[int, _Weighed] = {}

    def judge(self, facts: Facts) -> Judgement:
        """Say what is to be done with an order; a rule that breaks is named, and says nothing."""
        spoke = 0
        reasons: list[Reason] = []
        try:
            for bit, name, look, acts in self._looks:
                said = look(facts)
                if said is not None:
                    spoke |= bit
                    reasons.append(Reason(name, said, acts))
        except Exception:
            return self._judge_guarded(facts)
        if not spoke:
            return CLEAR
        act, would, typologies = self._weighed.get(spoke) or self._weigh(spoke)
        return Judgement(act, would, reasons, typologies)

    def _judge_guarded(self, facts: Facts) -> Judgement:
        """Judge with a guard around each rule: one of them has just broken."""
        spoke = 0
        reasons: list[Reason] = []
        failed: list[str] = []
        for bit, name, look, acts in self._looks:
            try:
                said = look(facts)
            except Exception:
                failed.append(name)
                continue
            if said is not None:
                spoke |= bit
                reasons.append(Reason(name, said, acts))
        act, would, typologies = self._weighed.get(spoke) or self._weigh(spoke)
        return Judgement(act, would, reasons, typologies, failed)

    def _weigh(self, spoke: int) -> _Weighed:
        names = {name for bit, name, _, _ in self._looks if spoke & bit}
        acting = {name for bit, name, _, acts in self._looks if acts and spoke & bit}
        act, _ = self._strictest(acting)
        would, typologies = self._strictest(names)
        if len(self._weighed) >= _WEIGHED_MAX:
            self._weighed.clear()
        found = self._weighed[spoke] = _Weighed(act, would, typologies)
        return found

    def _strictest(self, spoke: set[str]) -> tuple[Act, Sequence[str]]:
        """Find the strictest that any typology asks for, and which ones ask for it."""
        acts = {
            name: typology.act(sum(w for rule, w in typology.weights.items() if rule in spoke))
            for name, typology in self._typologies.items()
        }
        strictest = max(acts.values(), key=_ORDER.index, default=Act.ALLOW)
        if strictest is Act.ALLOW:
            return strictest, ()
        return strictest, [name for name, act in acts.items() if act is strictest]
