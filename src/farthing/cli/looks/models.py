"""Models that score: whether who was promoted can be used, as a hub would find when it starts."""

from collections.abc import Iterator

from farthing.cli.looks import Finding
from farthing.cli.risk_models import hub_shelf
from farthing.errors import FarthingError
from farthing.services.model_shelf import ROLES
from farthing.settings import Config

_DO = "rules judge alone meanwhile; farthing risk models list, then promote one"


def models(config: Config) -> Iterator[Finding]:
    """Look whether those who were promoted can score; say nothing where orders are not judged."""
    if config.risk.mode == "off":
        return
    try:
        shelf = hub_shelf(config)
        roles = shelf.roles()
    except FarthingError as fault:
        yield Finding("models", "warn", str(fault), _DO)
        return
    found = False
    for role in ROLES:
        named = getattr(roles, role)
        if named is None:
            continue
        found = True
        try:
            shelf.read(named)
            yield Finding(f"model ({role})", "ok", f"{named.name} can score")
        except FarthingError as fault:
            yield Finding(f"model ({role})", "warn", f"{named.name}: {fault}", _DO)
    if not found:
        yield Finding("models", "ok", "nobody was promoted; a detector is made of what is seen")
