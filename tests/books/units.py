"""Units for tests: small ones, refused ones, and ones with a bug in them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from farthing.core.decisions import Outcome, Plan
from farthing.core.ledger import Transfer
from farthing.errors import Conflict


@dataclass(frozen=True)
class Say:
    """A unit that states something, and moves nothing."""

    what: str
    reads: tuple = ()
    accounts: tuple = ()

    def plan(self, _view) -> Outcome:
        return Outcome(self.what, subject=1, statement=self.what.encode())


@dataclass(frozen=True)
class Refused(Say):
    """A unit that says no."""

    def plan(self, _view) -> Outcome:
        raise Conflict("said-no", self.what)


@dataclass(frozen=True)
class Buggy(Say):
    """A unit that fails in a way nobody thought of."""

    def plan(self, _view) -> Outcome:
        raise ZeroDivisionError(self.what)


@dataclass(frozen=True)
class Move(Say):
    """A unit that makes one chain, and then does something."""

    chain: tuple[Transfer, ...] = ()
    then: Callable[[Any], Outcome] = Outcome

    def plan(self, _view) -> Plan:
        return Plan(self.then, chains=[self.chain])
