"""Rules of one's own, as data: an expression over the facts, and what to say where it holds.

Expressions are CEL, the Common Expression Language: no loops here, no assignment, no look at
anything but the facts, whole numbers that overflow into a fault and never into another number. They
are compiled and tried at the start; what fails later is named, says nothing, and stops nobody.
"""

import importlib
import re
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec

from farthing.errors import BadConfig, PlugMissing
from farthing.risk.base import Facts

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
FACTS = tuple(Facts.__struct_fields__)

_LOOPS = re.compile(r"\.\s*(all|exists|exists_one|existsOne|filter|map)\s*\(")
_TEXTS = 3
"""The first facts are names; all others count something."""


class Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a rule of one's own is written.

    Shape: `act` is what it asks for when nothing else speaks; without, it is weighed in typologies.
    """

    when: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    says: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    act: Literal["", "ask", "refuse"] = ""


class OwnRule:
    """Speaks where its expression holds.

    Raises: BadConfig where it is no expression over the facts that is true or false; PlugMissing.
    """

    def __init__(self, section: str, told: Own) -> None:
        self._says = told.says
        self._run, self._names = _compiled(section, told.when)
        self._get = attrgetter(*self._names) if len(self._names) > 1 else None
        for sample in _samples():
            _try(section, self, sample)

    def judge(self, facts: Facts) -> str | None:
        """Work the expression out, from the facts that it names."""
        return self._says if self.holds(facts) else None

    def holds(self, facts: Facts) -> bool:
        """Tell whether the expression holds. Raises: whatever it fails with."""
        if self._get is not None:
            named = dict(zip(self._names, self._get(facts), strict=True))
        else:
            named = {name: getattr(facts, name) for name in self._names}
        found = self._run(named)
        if not isinstance(found, bool):
            raise TypeError(f"it is {found!r}, neither true nor false")
        return found


def _compiled(section: str, when: str) -> tuple[Any, tuple[str, ...]]:
    if _LOOPS.search(when):
        raise BadConfig("config-invalid", f"[{section}] `when` must not go through lists")
    try:
        program = _library().compile(when)
    except ValueError as fault:
        why = " ".join(str(fault).split())[-200:]
        raise BadConfig("config-invalid", f"[{section}] `when` cannot be read: {why}") from None
    names = tuple(program.variables())
    for name in names:
        if name not in FACTS:
            known = ", ".join(FACTS)
            detail = f"[{section}] `when` names {name!r}, which is no fact; there are: {known}"
            raise BadConfig("config-unknown-key", detail)
    return program.execute, names


def _samples() -> list[Facts]:
    """Give facts of a device that nobody knows, and of one that is known."""
    counts = len(FACTS) - _TEXTS
    return [
        Facts("dev_1", "acc_1", "", *[0] * counts),
        Facts("dev_1", "acc_1", "home", *[7] * counts),
    ]


def _try(section: str, rule: OwnRule, sample: Facts) -> None:
    try:
        rule.holds(sample)
    except ZeroDivisionError:
        return  # As it may be, of a device that nobody knows; then it says nothing.
    except Exception as fault:
        why = " ".join(str(fault).split())[:200]
        raise BadConfig("config-invalid", f"[{section}] `when` fails: {why}") from None


def _library() -> Any:
    try:
        return importlib.import_module("cel")
    except ImportError as missing:
        raise PlugMissing("rules-missing", "run: pip install 'farthing[rules]'") from missing
