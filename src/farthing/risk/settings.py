"""Reading `[risk]`: which rules there are, how each is set, and what their words weigh."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec

from farthing.errors import BadConfig
from farthing.misfits import misfit
from farthing.risk import rules
from farthing.risk.base import Rule
from farthing.risk.judging import Armed, Judge, State
from farthing.risk.ladders import Ladder, ladder_of
from farthing.risk.memory import Memory
from farthing.risk.orders import Risk
from farthing.risk.own import NAME, Own, OwnRule
from farthing.risk.typologies import BUILT_IN, Typology
from farthing.settings import RiskSettings


def rule_names() -> list[str]:
    """Name the rules that there are: each is a file."""
    return sorted(found.name for found in pkgutil.iter_modules(rules.__path__))


def rule_kind(name: str) -> type[Rule]:
    """Get a rule by its name.

    Raises: BadConfig with the nearest name that there is.
    """
    known = rule_names()
    if name not in known:
        raise BadConfig("config-unknown-key", f"[risk.rules] has {_unknown('rule', name, known)}")
    return importlib.import_module(f"farthing.risk.rules.{name}").PLUG


def read_risk(told: Mapping[str, Any]) -> Risk:
    """Make what judges orders, as `[risk]` says.

    Raises: BadConfig with the section and the setting.
    """
    return risk_of(read_settings(told))


def risk_of(settings: RiskSettings) -> Risk:
    """Make what judges orders as these settings say, whatever the hub's mode is.

    Raises: BadConfig with the section and the setting.
    """
    return _risk(settings, armed_by(settings))


def ladder(settings: RiskSettings) -> Ladder:
    """Make judges who hear a model at several thresholds, and one who hears none.

    Raises: BadConfig with the section and the setting.
    """
    armed = armed_by(settings)
    return ladder_of(armed, _typologies(settings, [one.name for one in armed]))


def read_settings(told: Mapping[str, Any]) -> RiskSettings:
    """Read `[risk]`, without the tables in it.

    Raises: BadConfig with the section and the setting.
    """
    return _read("risk", _table("risk", told), RiskSettings)


def judges_of(told: Mapping[str, Any] | RiskSettings) -> Risk | None:
    """Make what judges orders as they come, or None where nobody does.

    Shape:  in mode `shadow` no rule acts, whatever its own state is.
    Raises: BadConfig with the section and the setting.
    """
    settings = told if isinstance(told, RiskSettings) else _read("risk", told, RiskSettings)
    armed = armed_by(settings)
    risk = _risk(settings, armed if settings.mode == "on" else [_shadowed(one) for one in armed])
    return None if settings.mode == "off" else risk


def scores(settings: RiskSettings) -> bool:
    """Tell whether models are to score: somebody would hear of it."""
    told = settings.rules.get("model", {})
    is_off = isinstance(told, dict) and cast(dict[str, Any], told).get("state") == "off"
    return settings.mode != "off" and not is_off


def _shadowed(armed: Armed) -> Armed:
    return armed._replace(state="shadow") if armed.state == "on" else armed


def _risk(settings: RiskSettings, armed: Sequence[Armed]) -> Risk:
    memory = Memory(settings.devices_max, settings.payees_max)
    return Risk(memory, Judge(armed, _typologies(settings, [one.name for one in armed])))


def armed_by(settings: RiskSettings) -> list[Armed]:
    """Make the rules that there are, and those of one's own, each with its state.

    Raises: BadConfig with the section and the setting; PlugMissing.
    """
    for name in settings.rules:
        rule_kind(name)
    built_in = [_arm(name, settings.rules.get(name, {})) for name in rule_names()]
    return [*built_in, *(_arm_own(name, told) for name, told in settings.own.items())]


def _arm_own(name: str, told: Any) -> Armed:
    section = f"risk.own.{name}"
    if not NAME.fullmatch(name) or name in rule_names():
        detail = f"[{section}] is no name for a rule of your own: letters, digits and _, and new"
        raise BadConfig("config-invalid", detail)
    members = dict(_table(section, told))
    state: State = _read(section, {"state": members.pop("state", "on")}, _Stated).state
    return Armed(name, OwnRule(section, _read(section, members, Own)), state)


def _arm(name: str, told: Any) -> Armed:
    section = f"risk.rules.{name}"
    members = dict(_table(section, told))
    state: State = _read(section, {"state": members.pop("state", "on")}, _Stated).state
    return Armed(name, _read(section, members, rule_kind(name)), state)


class _Stated(msgspec.Struct, frozen=True):
    state: State


def _typologies(settings: RiskSettings, known: Sequence[str]) -> dict[str, Typology]:
    found = dict(BUILT_IN)
    for name, own in settings.own.items():
        if act := own.get("act"):
            alone = Typology({name: 100}, review=100 if act == "ask" else None,
                             stop=100 if act == "refuse" else None)  # fmt: skip
            found[name] = alone
    for name, parts in settings.typologies.items():
        if name in settings.own and settings.own[name].get("act"):
            detail = f"[risk.typologies.{name}] is [risk.own.{name}] with its `act` already"
            raise BadConfig("config-invalid", detail)
        section = f"risk.typologies.{name}"
        before = msgspec.structs.asdict(BUILT_IN[name]) if name in BUILT_IN else {}
        typology: Typology = _read(section, {**before, **_table(section, parts)}, Typology)
        for rule in typology.weights:
            if rule not in known:
                fault = _unknown("rule", rule, known)
                raise BadConfig("config-unknown-key", f"[{section}] weights has {fault}")
        _check_thresholds(section, typology)
        found[name] = typology
    return found


def _check_thresholds(section: str, typology: Typology) -> None:
    review, stop = typology.review, typology.stop
    if review is None and stop is None:
        detail = f"[{section}] asks for nothing: say from which weight on, as review or stop"
        raise BadConfig("config-invalid", detail)
    if review is not None and stop is not None and stop <= review:
        detail = f"[{section}] stop must be above review, or nobody is ever asked"
        raise BadConfig("config-invalid", detail)
    most = sum(typology.weights.values())
    for name, threshold in (("review", review), ("stop", stop)):
        if threshold is not None and threshold > most:
            detail = f"[{section}] {name} is out of reach: all weights together are {most}"
            raise BadConfig("config-invalid", detail)


def _table(section: str, told: Any) -> Mapping[str, Any]:
    if not isinstance(told, dict):
        raise BadConfig("config-invalid", f"[{section}] is a table of settings")
    return cast(dict[str, Any], told)


def _read(section: str, told: Mapping[str, Any], kind: Any) -> Any:
    _check_names(section, told, kind.__struct_fields__)
    try:
        return msgspec.convert(told, kind, strict=True)
    except msgspec.ValidationError as fault:
        raise BadConfig("config-invalid", f"[{section}] {misfit(kind, fault)}") from None


def _check_names(section: str, told: Iterable[str], known: Iterable[str]) -> None:
    fields = list(known)
    for name in told:
        if name not in fields:
            fault = _unknown("setting", name, fields)
            raise BadConfig("config-unknown-key", f"[{section}] has {fault}")


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
    return f"no {what} {name!r}; {hint}"
