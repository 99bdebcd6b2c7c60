"""What is depended on: floors above known advisories, and nothing heavy or copyleft in the base."""

import re
import tomllib
from importlib.metadata import distribution

import pytest

from .reference import ROOT

FIXED = {
    "cryptography": ("46.0.5", "CVE-2026-26007"),
    "PyNaCl": ("1.6.2", "CVE-2025-69277"),
    "granian": ("2.7.4", "CVE-2026-42544, CVE-2026-42545"),
    "starlette": ("1.1", "CVE-2026-48710, CVE-2026-48818"),
}
"""The first version without a known advisory that touches us: PyPI's advisory database."""

COPYLEFT = re.compile(r"\b(A?GPL|LGPL|EUPL|SSPL|BUSL)", re.IGNORECASE)


def requirements() -> list[str]:
    """Every requirement of the project: of the base, of extras, of groups."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = told["project"]["optional-dependencies"].values()
    lists = [told["project"]["dependencies"], *extras, *told["dependency-groups"].values()]
    return [text for one in lists for text in one]


def floor_of(requirement: str) -> str:
    found = re.search(r"[>=]=([0-9.]+)", requirement)
    assert found, f"{requirement} has no floor"
    return found[1]


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=;~ ]", requirement)[0]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@pytest.mark.rule("asvs.11.2.3", "asvs.15.1.1", "trap.floors", on="hub")
@pytest.mark.parametrize("requirement", requirements())
def test_a_requirement_has_a_floor_above_what_is_known_to_be_broken(requirement: str):
    floor = floor_of(requirement)
    fixed, advisory = FIXED.get(name_of(requirement), ("0", ""))
    assert numbers(floor) >= numbers(fixed), f"{requirement} allows {advisory}"


def base_install() -> set[str]:
    """Every distribution that the base install brings, by following what each one names."""
    found: set[str] = set()
    left = ["farthing"]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        needed = distribution(name).requires or []
        left += [name_of(text) for text in needed if "extra ==" not in text and _here(text)]
    return found


def _here(requirement: str) -> bool:
    """Leave out what only other systems or older Pythons need."""
    marker = requirement.partition(";")[2]
    return re.search(r"== *.(win32|Windows|emscripten|PyPy)|python_version *<", marker) is None


@pytest.mark.parametrize("name", sorted(base_install()))
def test_the_base_install_is_permissively_licensed(name: str):
    told = distribution(name).metadata
    licences = [told.get("License-Expression") or "", *(told.get_all("Classifier") or [])]
    named = " ".join(text for text in licences if "License" in text or "::" not in text)
    assert not COPYLEFT.search(named), named
