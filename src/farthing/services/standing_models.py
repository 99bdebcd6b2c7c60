"""How models in their roles stand: what each is, whether it scores, how far orders have moved."""

from dataclasses import dataclass

from farthing.errors import FarthingError
from farthing.risk.kept import Card
from farthing.services.model_shelf import ROLES, Named, Role, Roles, Shelf
from farthing.services.scorers import Drifted, Scorers


@dataclass(frozen=True, slots=True)
class ModelStanding:
    """A model in a role.

    Units: `since` is Unix seconds: when somebody was promoted or retired last.
    Shape: `fault` is empty where it scores, or could; `named` and `since` are nothing of the
           detector that a hub makes by itself.
    """

    role: Role
    name: str
    named: Named | None
    since: int
    card: Card | None
    fault: str
    scored: int
    drift: Drifted | None


def standing_models(shelf: Shelf, scorers: Scorers | None) -> list[ModelStanding]:
    """Look at who was promoted, and at who scores in this process, if it is one that does."""
    try:
        roles = shelf.roles()
    except FarthingError as fault:
        return [ModelStanding("champion", "roles.json", None, 0, None, str(fault), 0, None)]
    found = [_standing(role, roles, shelf, scorers) for role in ROLES]
    return [one for one in found if one is not None]


def _standing(
    role: Role, roles: Roles, shelf: Shelf, scorers: Scorers | None
) -> ModelStanding | None:
    named: Named | None = getattr(roles, role)
    live = scorers.by_role.get(role) if scorers else None
    fault = scorers.faults.get(role, "") if scorers else ""
    if named is None and live is None and not fault:
        return None
    card = live.kept.card if live is not None else None
    if live is None and named is not None:
        try:
            card = shelf.read(named).card
        except FarthingError as cause:
            fault = fault or str(cause)
    name = named.name if named is not None else live.name if live is not None else ""
    scored = scorers.scored[role] if scorers else 0
    drift = scorers.drifts.get(role) if scorers else None
    return ModelStanding(role, name, named, roles.at if named else 0, card, fault, scored, drift)
