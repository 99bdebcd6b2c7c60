"""What a unit writes beside a cluster can be read back after a crash, whatever table it is in."""

import importlib
import pkgutil

import farthing.core
from farthing.books.intents import TABLES
from farthing.core.events import EVENTS
from farthing.core.meters import METERS
from farthing.core.records import Table


def test_every_table_that_units_write_to_is_known_to_intents():
    found: dict[str, Table] = {}
    for module in pkgutil.iter_modules(farthing.core.__path__, "farthing.core."):
        values = vars(importlib.import_module(module.name)).values()
        found |= {one.name: one for one in values if isinstance(one, Table)}
    apart = {EVENTS.name, METERS.name}  # Events have a place of their own; meters are a seller's.
    assert set(found) - apart == set(TABLES)
