"""The files that are shipped for Prometheus and Grafana, as the tests read them."""

import importlib.resources
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from farthing.observe.process import PROCESS
from farthing.observe.table import OURS

DEPLOY = Path(str(importlib.resources.files("farthing"))) / "deploy"
RULES = DEPLOY / "prometheus" / "farthing.rules.yml"
SCRAPING = DEPLOY / "prometheus" / "prometheus.yml"
DASHBOARD = DEPLOY / "grafana" / "farthing-dashboard.json"

_SELECTED = re.compile(r"\b((?:farthing|process)_[a-z0-9_]+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")
_OF_SCRAPING = {"job", "instance"}


@cache
def rules() -> list[dict[str, Any]]:
    """Every rule: alerts and recordings."""
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> set[str]:
    """The names of the recording rules."""
    return {rule["record"] for rule in rules() if "record" in rule}


def panels() -> list[dict[str, Any]]:
    """Every panel of the dashboard that draws something."""
    return [p for p in json.loads(DASHBOARD.read_text())["panels"] if p["type"] != "row"]


def strangers(expression: str) -> set[str]:
    """Name what an expression asks for that no process of ours shows: metrics, labels, records."""
    shown = {f"{metric.name}{end}": set(metric.labels) for metric in OURS for end in _ends(metric)}
    shown |= {name: set() for name in PROCESS}
    found = set(re.findall(r"\bfarthing:[a-z0-9_:]+", expression)) - recorded()
    for name, inside in _SELECTED.findall(expression):
        wanted = set(_LABEL.findall(inside)) - _OF_SCRAPING - {"le"}
        if name not in shown:
            found.add(name)
        else:
            found |= {f"{name}{{{label}}}" for label in wanted - shown[name]}
    return found


def _ends(metric: Any) -> tuple[str, ...]:
    return ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
