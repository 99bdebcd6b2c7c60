"""Whom the HTTP clients of tests trust: one certificate of the run's own.

Each client reads its list of authorities when it is made, also to ask over plain HTTP: with a whole
list that is 50 ms of the processor, in hundreds of processes.
"""

import os
from pathlib import Path

from tests.e2e.certificates import make_certificate

_NAME, _BEFORE = "SSL_CERT_FILE", "FARTHING_TEST_AUTHORITIES"


def trust_one(folder: Path) -> None:
    """Let this process, and those that it starts, trust a new certificate that nobody uses."""
    os.environ[_BEFORE] = os.environ.get(_NAME, "")
    os.environ[_NAME] = str(make_certificate(folder)[0])


def trusting_all() -> dict[str, str]:
    """Give the environment of a process that asks a registry, as it was before the tests."""
    before = os.environ.get(_BEFORE, "")
    rest = {name: value for name, value in os.environ.items() if name != _NAME}
    return rest | ({_NAME: before} if before else {})


def trust_as_before() -> None:
    """Undo it."""
    before = trusting_all()
    os.environ.pop(_NAME)
    os.environ.update(before)
