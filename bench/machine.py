"""What was measured on: the machine and the versions that matter."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import apsw

_PACKAGES = ("farthing", "apsw", "PyNaCl", "uvicorn", "uvloop", "httptools", "msgspec", "psycopg")


def describe() -> dict[str, str]:
    """Tell processor, memory, system and versions."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{pages / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        **{package.lower(): version(package) for package in _PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
