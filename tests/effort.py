"""How hard random tests try: `make prove` sets FARTHING_TEST_EFFORT to more than 1."""

import os

EFFORT = int(os.environ.get("FARTHING_TEST_EFFORT", "1"))
REPEATED = EFFORT == 1
"""In everyday runs examples are the same each time where a test asks for that."""


def examples(count: int) -> int:
    return count * EFFORT
