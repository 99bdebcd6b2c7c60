"""What does not fit a shape, told so that it can be mended.

msgspec names the place and the kind of fault; what would have fitted there stands in the type.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec
from msgspec import inspect

_TOLD = re.compile(r"(?P<what>.*?)( - at `\$(?P<path>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[[^\]]*\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_SHOWN_MAX = 40


def misfit(kind: Any, fault: msgspec.ValidationError) -> str:
    """Tell the fault of a value that is not of this type: what is wrong, what fits, and where."""
    told = _TOLD.fullmatch(str(fault))
    if told is None:
        return str(fault)
    path = told["path"] or ""
    there = list(_reached(inspect.type_info(kind), path))
    return _mended(told["what"], there) + (f" - at `${path}`" if path else "")


def _mended(what: str, there: Sequence[Any]) -> str:
    unknown = _UNKNOWN.fullmatch(what)
    if unknown is not None:
        known = [field.encode_name for one in there for field in getattr(one, "fields", ())]
        return _nearest(unknown[1][:_SHOWN_MAX], known)
    choices = sorted(str(value) for one in there for value in getattr(one, "values", ()))
    if what.startswith("Invalid enum value") and choices:
        return f"{what}; choose {', '.join(choices)}"
    examples = [text for one in there for text in _examples(one)]
    if "matching regex" in what and examples:
        return f'Expected text such as "{examples[0]}"'
    return what


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known)}"
    return f"Object contains unknown field `{name}`; {hint}"


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


def _examples(node: Any) -> list[str]:
    noted = getattr(node, "extra_json_schema", None)
    examples = cast(dict[str, Any], noted or {}).get("examples", ())
    return [str(text) for text in examples]
