"""What this machine measures of itself: read from the system each time, never made up."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Reading = dict[str, Any]
Gauge = Callable[[], Reading]

_PROC = Path("/proc")
_THERMAL = Path("/sys/class/thermal")
_BATTERY = Path("/sys/class/power_supply")


def gauges() -> dict[str, Gauge]:
    """Give the gauges that work here: load, disk and clock everywhere, more on Linux."""
    known: dict[str, Gauge] = {
        "load": _load,
        "disk": _disk,
        "memory": _memory,
        "uptime": _uptime,
        "network": _network,
        "processes": _processes,
        "temperature": _temperature,
        "battery": _battery,
    }
    return {name: gauge for name, gauge in known.items() if _works(gauge)}


def _works(gauge: Gauge) -> bool:
    try:
        return bool(gauge())
    except (OSError, ValueError, LookupError):
        return False


def _load() -> Reading:
    one, five, fifteen = os.getloadavg()
    return {
        "processors": os.cpu_count(),
        "minutes_1": round(one, 2),
        "minutes_5": round(five, 2),
        "minutes_15": round(fifteen, 2),
    }


def _disk() -> Reading:
    usage = shutil.disk_usage("/")
    return {"path": "/", "bytes": usage.total, "free_bytes": usage.free}


def _memory() -> Reading:
    lines = (_PROC / "meminfo").read_text().splitlines()
    kibibytes = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
    total, free = kibibytes["MemTotal"], kibibytes["MemAvailable"]
    return {"bytes": total * 1024, "available_bytes": free * 1024}


def _uptime() -> Reading:
    file = _PROC / "uptime"
    seconds = float(file.read_text().split()[0]) if file.exists() else time.monotonic()
    return {"seconds": round(seconds, 2)}


def _network() -> Reading:
    found: Reading = {}
    for line in (_PROC / "net" / "dev").read_text().splitlines()[2:]:
        name, _, rest = line.partition(":")
        counters = rest.split()
        found[name.strip()] = {
            "received_bytes": int(counters[0]),
            "sent_bytes": int(counters[8]),
        }
    return found


def _processes() -> Reading:
    running = sum(1 for entry in _PROC.iterdir() if entry.name.isdigit())
    return {"running": running}


def _temperature() -> Reading:
    zones = _THERMAL.glob("thermal_zone*/temp")
    return {zone.parent.name: int(zone.read_text()) / 1000 for zone in sorted(zones)}


def _battery() -> Reading:
    found = _BATTERY.glob("*/capacity")
    return {one.parent.name: {"percent": int(one.read_text())} for one in sorted(found)}


def all_readings() -> dict[str, Reading]:
    """Read every gauge once."""
    return {name: gauge() for name, gauge in gauges().items()}
