"""What does not fit a shape, told in plain words: which member it is, and what would fit there.

msgspec names the place and the kind of fault; what would have fitted there stands in the type.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec
from msgspec import inspect

_FAULT = re.compile(r"(?P<what>.*?)( - at `\$(?P<path>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[[^\]]*\]")
_EACH = "[...]"
_SHOWN_MAX = 40
_TIME = "a time such as 2026-11-22T21:00:00Z"
_KINDS: Mapping[str, str] = {
    "array": "a list",
    "bool": "true or false",
    "date": "a date",
    "datetime": _TIME,
    "float": "a number with decimals",
    "int": "a whole number",
    "null": "null",
    "object": "an object",
    "str": "text",
}


class Misfit(NamedTuple):
    """A fault of a value: the member's path, such as `budgets[0].limit`, and what is said of it."""

    path: str
    told: str

    def __str__(self) -> str:
        if self.path.endswith(_EACH):
            return f"a value in `{self.path.removesuffix(_EACH)}` {self.told}"
        return f"`{self.path}` {self.told}" if self.path else f"the whole {self.told}"


def misfit(kind: Any, fault: msgspec.ValidationError) -> Misfit:
    """Tell the fault of a value that is not of this type: which member, and what fits there."""
    read = _FAULT.fullmatch(str(fault))
    what, path = (read["what"], read["path"] or "") if read else (str(fault), "")
    there = list(_reached(inspect.type_info(kind), path))
    for form, tell in _FORMS:
        if found := form.fullmatch(what):
            return tell(path.removeprefix("."), found[1], there)
    return Misfit(path.removeprefix("."), f"does not fit: {what}")


def _missing(path: str, name: str, _there: Sequence[Any]) -> Misfit:
    return Misfit(_member(path, name), "is missing")


def _unknown(path: str, name: str, there: Sequence[Any]) -> Misfit:
    shown = name[:_SHOWN_MAX]
    known = [field.encode_name for one in there for field in getattr(one, "fields", ())]
    near = difflib.get_close_matches(shown, known, 1, 0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known)}"
    return Misfit(_member(path, shown), f"is unknown; {hint}")


def _one_of(path: str, _value: str, there: Sequence[Any]) -> Misfit:
    choices = sorted(str(value) for one in there for value in getattr(one, "values", ()))
    return Misfit(path, f"must be one of {', '.join(choices)}")


def _like(path: str, _pattern: str, there: Sequence[Any]) -> Misfit:
    examples = [*_examples(there), "…"]
    return Misfit(path, f'must be text such as "{examples[0]}"')


def _other_kind(path: str, told: str, there: Sequence[Any]) -> Misfit:
    wanted, _, got = told.partition("`, got `")
    kinds = {one: _KINDS.get(one, one) for one in wanted.split(" | ")}
    examples = [*_examples(there)]
    if "str" in kinds and examples:
        kinds["str"] = f'text such as "{examples[0]}"'
    return Misfit(path, f"must be {' or '.join(kinds.values())}, not {_KINDS.get(got, got)}")


def _length(path: str, kind: str, there: Sequence[Any]) -> Misfit:
    counted = "characters" if kind == "str" else "entries"
    return Misfit(path, f"must have {_span(there, 'min_length', 'max_length')} {counted}")


def _size(path: str, _kind: str, there: Sequence[Any]) -> Misfit:
    return Misfit(path, f"must be {_span(there, 'ge', 'le')}")


def _moment(path: str, _what: str, _there: Sequence[Any]) -> Misfit:
    return Misfit(path, f"must be {_TIME}, with its time zone")


_FORMS: Sequence[tuple[re.Pattern[str], Callable[[str, str, Sequence[Any]], Misfit]]] = [
    (re.compile(form, re.DOTALL), tell)
    for form, tell in (
        (r"Object missing required field `(.*)`", _missing),
        (r"Object contains unknown field `(.*)`", _unknown),
        (r"Invalid enum value (.*)", _one_of),
        (r"Expected `str` matching regex (.*)", _like),
        (r"Expected `(.*?`, got `.*)`", _other_kind),
        (r"Expected `(\w+)` of length .*", _length),
        (r"Expected `(int)` [<>]=? .*", _size),
        (r"(Invalid RFC3339 encoded datetime|Expected `datetime` with .*)", _moment),
    )
]
"""How msgspec words a fault, and how it is told here."""


def _member(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _span(there: Sequence[Any], least: str, most: str) -> str:
    """Say what is allowed, from the bounds that stand in the type."""
    low = next((v for one in there if (v := getattr(one, least, None)) is not None), None)
    high = next((v for one in there if (v := getattr(one, most, None)) is not None), None)
    if low is None:
        return f"at most {high}"
    if high is None:
        return f"at least {low}"
    return f"{low} to {high}" if low != high else f"exactly {low}"


def _reached(node: Any, path: str) -> Iterator[Any]:
    """Give the types that may stand at a path, with what is noted beside them."""
    if isinstance(node, inspect.UnionType):
        for choice in node.types:
            yield from _reached(choice, path)
    elif isinstance(node, inspect.Metadata):
        if not path:
            yield node
        yield from _reached(node.type, path)
    elif not path:
        yield node
    else:
        yield from _below(node, path)


def _below(node: Any, path: str) -> Iterator[Any]:
    step = _STEP.match(path)
    if step is None:
        return
    rest = path[step.end() :]
    if isinstance(node, inspect.StructType):
        for field in node.fields:
            if field.encode_name == step["name"]:
                yield from _reached(field.type, rest)
    elif isinstance(node, inspect.ListType):
        yield from _reached(node.item_type, rest)
    elif isinstance(node, inspect.DictType):
        yield from _reached(node.value_type, rest)


def _examples(there: Sequence[Any]) -> Iterator[str]:
    for node in there:
        noted = cast(dict[str, Any], getattr(node, "extra_json_schema", None) or {})
        yield from noted.get("examples", ())
