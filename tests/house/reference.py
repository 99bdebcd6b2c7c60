"""The reference pages that are written from the code: `python -m tests.house.reference`."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

import click
import msgspec
import typer
import yaml

import farthing
from farthing.cli import app as commands
from farthing.core.events import EXPLAINED as EVENTS
from farthing.core.events import Kind
from farthing.core.refusals import EXPLAINED as REFUSALS
from farthing.errors import BadConfig, FarthingError, PlugMissing
from farthing.explained import hint_of
from farthing.explained.log_lines import ALWAYS, FACTS, LINES, OF_EVENTS
from farthing.observe.process import PROCESS
from farthing.observe.table import EVERY, HUB, SELLER
from farthing.settings import SECTIONS, Config, FeeSettings
from farthing.terminal.lazy import LazyGroup
from farthing.web.api.endpoint import Endpoint
from farthing.web.api.openapi import describe
from farthing.web.app import all_endpoints
from tests.web.api.access_table import KEYS, ROWS

from .limits_page import limits
from .tables import table

ROOT = Path(__file__).parents[2]
RULES = ROOT / "src" / "farthing" / "deploy" / "prometheus" / "farthing.rules.yml"
AT_START = 0
FOLDER = ROOT / "docs" / "reference"
NOTE = "\n<!-- Written from the code by `python -m tests.house.reference`; edit that. -->\n"


def pages() -> dict[str, str]:
    """Write every page, by its file's name."""
    return {
        "access.md": access(),
        "alerts.md": alert_page(),
        "api.md": api(),
        "commands.md": command_page(),
        "configuration.md": configuration(),
        "events.md": events(),
        "limits.md": limits(),
        "logs.md": log_page(),
        "metrics.md": metrics(),
        "problems.md": problems(),
    }


# Problems


def error_statuses() -> dict[str, int]:
    """Give the HTTP status of every error class, by name."""
    for module in pkgutil.walk_packages(farthing.__path__, "farthing."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: dict[str, int] = {}
    left: list[Any] = [FarthingError]
    while left:
        kind = left.pop()
        at_start = issubclass(kind, BadConfig | PlugMissing)
        found[kind.__name__] = AT_START if at_start else kind.status
        left += kind.__subclasses__()
    return found


def raised() -> dict[str, tuple[set[int], set[str]]]:
    """Find every problem that the code writes: its code, its statuses, its details."""
    statuses = error_statuses()
    found: dict[str, tuple[set[int], set[str]]] = {}
    for file in sorted((ROOT / "src" / "farthing").rglob("*.py")):
        tree = ast.parse(file.read_text())
        told = Details(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                _note(node, getattr(node.func, "id", ""), statuses, found, told)
            elif isinstance(node, ast.ClassDef):
                for call in _calls_of_super(node):
                    _note(call, node.name, statuses, found, told)
    for refusal, meaning in REFUSALS.items():
        found.setdefault(refusal.value, (set(), set()))[0].add(422)
        found[refusal.value][1].add(meaning)
    return found


def _calls_of_super(node: ast.ClassDef) -> list[ast.Call]:
    """Find where an error of its own says its code: `super().__init__("code", …)`."""
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
    return [one for one in calls if getattr(one.func, "attr", "") == "__init__"]


def _note(
    node: ast.Call, name: str, statuses: dict[str, int], found: dict[str, Any], told: "Details"
) -> None:
    if name not in statuses:
        return
    values = [text for argument in node.args if (text := _text(argument)) is not None]
    status = statuses[name]
    if name == "HttpProblem":
        status = next((v for v in values if isinstance(v, int)), 500)
        values = [v for v in values if not isinstance(v, int)]
    if name == "BadCredential":
        status = next(
            (getattr(k.value, "value", 402) for k in node.keywords if k.arg == "status"), 402
        )
    codes = [v for v in values[:1] if re.fullmatch(r"[a-z0-9]{4,}|[a-z0-9]+(-[a-z0-9]+)+", str(v))]
    for code in codes:
        known = found.setdefault(code, (set(), set()))
        known[0].add(status)
        known[1].update(told.of(node))


IN_ITS_WORDS = "*what was found, in its own words*"
"""Where the text is not in the code: it comes from a file, a library, or whoever was asked."""


_PARTS = ("body", "orelse", "finalbody")


class Details:
    """The details of the problems in a file: also those that a variable holds.

    Shape: a variable means what it was set to last in the block that uses it, or else whatever it
           is set to in the function around.
    """

    def __init__(self, tree: ast.AST) -> None:
        self._around: dict[ast.AST, ast.AST] = {}
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                # Of functions in functions the inner one comes later, and counts.
                self._around.update(dict.fromkeys(ast.walk(function), function))

    def of(self, call: ast.Call) -> set[str]:
        """Give what a problem may say; nothing where it says nothing."""
        texts = [argument for argument in call.args if not isinstance(_text(argument), int)]
        detail = next((k.value for k in call.keywords if k.arg == "detail"), None)
        found = texts[1] if len(texts) > 1 else detail
        return set() if found is None else set(self._read(found, self._around.get(call)))

    def _read(self, node: ast.AST, around: ast.AST | None) -> Iterator[str]:
        text = _text(node)
        if text is not None:
            if text:
                yield str(text)
        elif isinstance(node, ast.IfExp):
            yield from self._read(node.body, around)
            yield from self._read(node.orelse, around)
        elif isinstance(node, ast.BinOp):
            left, right = (list(self._read(side, around)) for side in (node.left, node.right))
            yield from (f"{one}{other}" for one in left for other in right)
        else:
            yield from self._assigned(node, around) or [IN_ITS_WORDS]

    def _assigned(self, node: ast.AST, around: ast.AST | None) -> list[str]:
        if not isinstance(node, ast.Name) or around is None:
            return []
        values = _nearest(node, around) or _everything(node, around)
        return [text for value in values if value is not node for text in self._read(value, None)]


def _nearest(name: ast.Name, around: ast.AST) -> list[ast.expr]:
    """Give what a variable was set to last in the very block that uses it, if it was."""
    for block in _blocks(around):
        used = next((i for i, one in enumerate(block) if name in ast.walk(one)), 0)
        values = [one.value for one in block[:used] if _sets(one, name)]
        if values:
            return values[-1:]
    return []


def _everything(name: ast.Name, around: ast.AST) -> list[ast.expr]:
    return [one.value for one in ast.walk(around) if _sets(one, name)]


def _sets(one: ast.AST, name: ast.Name) -> TypeGuard[ast.Assign]:
    return isinstance(one, ast.Assign) and any(
        getattr(target, "id", "") == name.id for target in one.targets
    )


def _blocks(around: ast.AST) -> list[list[ast.stmt]]:
    """Give every block of statements in a function, the inner ones first."""
    parts = [getattr(one, part, None) for one in ast.walk(around) for part in _PARTS]
    return [block for block in reversed(parts) if isinstance(block, list)]


def _text(node: ast.AST) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return None


def _when(status: int) -> str:
    return str(status) if status != AT_START else "at start"


def problems() -> str:
    """Write the page of problem codes."""
    rows = [
        (
            f"`{code}`",
            ", ".join(_when(s) for s in sorted(statuses)),
            "; ".join(sorted(details)),
            hint_of(code),
        )
        for code, (statuses, details) in sorted(raised().items())
    ]
    return (
        f"# Problem codes\n{NOTE}\n"
        "Every refusal is an RFC 9457 problem with a stable `code`. On the command line the code\n"
        "stands in brackets, and the status is that of the HTTP answer it would have been.\n"
        "A paywall answers 402 with a fresh challenge where no money was taken. `hint` says\n"
        "what to do next, and `farthing explain CODE` tells more.\n\n"
        + table(("code", "status", "what it says", "what to do"), rows)
    )


# Events and settings


def events() -> str:
    """Write the page of event kinds."""
    rows = [(f"`{kind.value}`", EVENTS[kind]) for kind in Kind]
    return (
        f"# Events\n{NOTE}\n"
        "`GET /v1/events` streams them (SSE) in the order they became true; `Last-Event-ID`, or\n"
        "`?after=`, goes on after the last one seen; `0` is before the first, and without either\n"
        "the stream begins now. `?limit=` answers so many as JSON, from the first on unless\n"
        "`after` says otherwise. An event has an `id`, a `kind`, a `subject`, the time (`at`) and\n"
        "a `body` of texts.\n\n" + table(("kind", "what happened"), rows)
    )


def configuration() -> str:
    """Write the page of settings."""
    told = (
        f"# Configuration\n{NOTE}\n"
        "The file is `$FARTHING_CONFIG`, or `farthing.toml` in `$FARTHING_HOME/hub` (by default\n"
        "`~/.farthing/hub`); paths in it are relative to it. Each setting has a variable that\n"
        "overrides it. An unknown name is an error that tells the nearest one.\n"
    )
    parts = [told]
    for section, settings in SECTIONS.items():
        rows = [
            (
                f"`{field.name}`",
                f"`{msgspec.json.encode(_default(field)).decode()}`",
                meaning_of(field),
                _variable(section, field),
            )
            for field in msgspec.structs.fields(settings)
        ]
        parts.append(f"\n## `[{section}]`\n\n{settings.__doc__}\n\n")
        parts.append(table(("setting", "default", "meaning", "variable"), rows))
    defaults = ", ".join(f"`{code} = {scale}`" for code, scale in Config().assets.items())
    parts.append(
        "\n## `[assets]`\n\nCodes and how many decimals their smallest unit has, by default "
        f"{defaults}.\nA scale never changes once it was used.\n"
    )
    rows = [
        (
            f"`{field.name}`",
            "" if field.required else f"`{msgspec.json.encode(_default(field)).decode()}`",
            meaning_of(field),
        )
        for field in msgspec.structs.fields(FeeSettings)
    ]
    parts.append(f"\n## `[fees.USD]`\n\n{FeeSettings.__doc__}\n")
    parts.append("There is a table for each asset that a fee is taken in, and none by default.\n\n")
    parts.append(table(("setting", "default", "meaning"), rows))
    return "".join(parts)


def _variable(section: str, field: Any) -> str:
    """Name the variable that a setting has; a table has none."""
    of_table = isinstance(_default(field), dict)
    return "" if of_table else f"`FARTHING_{section}_{field.name}`".upper()


def _default(field: Any) -> Any:
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def meaning_of(field: Any) -> str:
    """Give what a setting means, as it is annotated."""
    notes = getattr(field.type, "__metadata__", ())
    return next(note.description for note in notes if getattr(note, "description", None))


def metrics() -> str:
    """Write the page of metrics."""
    told = (
        f"# Metrics\n{NOTE}\n"
        "A hub shows its own at `GET /metrics` (the operator's key, or one with the scope\n"
        "`metrics`) and at `[metrics] listen`; a proxy at `--metrics`. Labels never name an\n"
        "owner, a device, a path or an id.\n"
    )
    parts = [told]
    for title, table_of in (("Both", EVERY), ("The hub", HUB), ("Proxy and middleware", SELLER)):
        rows = [
            (f"`{m.name}`", m.kind, ", ".join(f"`{label}`" for label in m.labels), m.told)
            for m in table_of
        ]
        parts.append(f"\n## {title}\n\n" + table(("metric", "kind", "labels", "meaning"), rows))
    rows = [(f"`{name}`", told) for name, told in PROCESS.items()]
    parts.append("\n## The process\n\n" + table(("metric", "meaning"), rows))
    return "".join(parts)


def log_page() -> str:
    """Write the page of log lines."""
    told = (
        f"# Log lines\n{NOTE}\n"
        "A hub and a proxy write to stderr, one line for each thing. `[log] format` is `text` or\n"
        "`json`, `[log] level` the least that is written, and `[log] events = false` leaves the\n"
        "events out. `farthing explain LINE` tells about one. No line holds a key, a code, a\n"
        "signature, a credential, a receipt or a body.\n\n"
        "A line whose name has no dot is a library's, worded there; `logger` says whose.\n"
    )
    rows = [
        (
            f"`{name}`",
            line.level,
            line.told,
            ", ".join(_fact(fact) for fact in line.facts),
            line.to_do,
        )
        for name, line in LINES.items()
    ]
    parts = [told, "\n## Lines\n\n", table(("line", "level", "what", "facts", "what to do"), rows)]
    parts.append(
        "\n## Events\n\nEach [event](events.md) is a line of the level info as well, under its own"
        " name, written once it is durable.\n"
    )
    shelves = (("In every line", ALWAYS), ("In lines", FACTS), ("In lines of events", OF_EVENTS))
    for title, facts in shelves:
        rows = [(f"`{name}`", means) for name, means in facts.items()]
        parts.append(f"\n## {title}\n\n" + table(("fact", "meaning"), rows))
    return "".join(parts)


def _fact(name: str) -> str:
    return f"`{name[:-1]}` or not" if name.endswith("?") else f"`{name}`"


def alert_page() -> str:
    """Write the page of alerts, from the rules that are shipped."""
    told = (
        f"# Alerts\n{NOTE}\n"
        "What the rules of `farthing deploy-files` tell of, and what to do then; how they get\n"
        "into Prometheus is in [how to monitor a hub](../howto/monitor-a-hub.md). The severity\n"
        "`page` wakes somebody, `ticket` can wait for the day.\n"
    )
    parts = [told]
    for group in yaml.safe_load(RULES.read_text())["groups"][1:]:
        parts.append(f"\n## {group['name']}\n")
        parts += [_alert(rule) for rule in group["rules"]]
    return "".join(parts)


def _alert(rule: dict[str, Any]) -> str:
    told = rule["annotations"]
    means = re.sub(r"\{\{ *\$(?:labels\.)?([a-z]+)[^}]*\}\}", r"*\1*", told["summary"])
    since = "" if rule["for"] == "0m" else f", for {rule['for']}"
    return (
        f"\n### {rule['alert']}\n\n{means} (`{rule['labels']['severity']}`).\n\n"
        f"- When: `{rule['expr']}`{since}\n- Do: {told['do']}\n"
    )


# The API and the commands


def who(endpoint: Endpoint) -> str:
    """Say who may ask."""
    if endpoint.scopes is None:
        return "anybody"
    scopes = [scope.value for scope in endpoint.scopes]
    return ", ".join([*scopes, *(["a device"] if endpoint.devices else [])])


WITHOUT_A_KEY = """
## Without a key

These look at no `Idempotency-Key`: what they carry tells whether a request is the same one again.

"""


def api() -> str:
    """Write the page of the hub's API."""
    endpoints = all_endpoints()
    schemas = describe(endpoints, "")["components"]["schemas"]
    rows = [(f"`{e.method} {e.path}`", e.summary, who(e)) for e in endpoints]
    told = (
        f"# The hub's API\n{NOTE}\n"
        "`/openapi.json` says the same to machines. Amounts are decimal strings of smallest\n"
        "units, times RFC 3339 in UTC. The operator's key may ask everything. A `POST` or `PUT`\n"
        "may carry an `Idempotency-Key`: the same request again gets the first answer for a day,\n"
        "and another one under the same key is 409. Some [look at none](#without-a-key).\n\n"
    )
    by_itself = [(f"`{e.method} {e.path}`", e.told_apart_by) for e in endpoints if e.told_apart_by]
    parts = [
        told,
        table(("request", "what it does", "who may ask"), rows),
        WITHOUT_A_KEY,
        table(("request", "told by"), by_itself),
        "\n## Queries\n",
    ]
    for endpoint in endpoints:
        if endpoint.query:
            names = [(f"`{name}`", what) for name, what in endpoint.query.items()]
            parts.append(f"\n`{endpoint.method} {endpoint.path}`\n\n")
            parts.append(table(("name", "meaning"), names))
    parts.append("\n## Bodies\n")
    for endpoint in endpoints:
        if endpoint.body is not None:
            parts.append(f"\n`{endpoint.method} {endpoint.path}`: {endpoint.body.__doc__}\n\n")
            parts.append(members(schemas[endpoint.body.__name__]))
    return "".join(parts)


def access() -> str:
    """Write the page of who may ask what, from the table that the endpoints are tried against."""
    asking = ("nobody", *KEYS, "device")
    rows = [
        (
            f"`{row.request}`",
            *("yes" if role in row.who else "" for role in asking),
            " or ".join(sorted(row.whose)),
            row.note,
        )
        for row in ROWS
    ]
    told = (
        f"# Who may ask what\n{NOTE}\n"
        "Each endpoint is asked by the tests as everybody, about things of one's own, of those\n"
        "one deals with, and of strangers. The operator, by its key or at the hub's own socket,\n"
        "may ask everything about everything. `nobody` is a request without a key; a key that is\n"
        "unknown or revoked is refused everywhere (401), a key without the scope too (403). A\n"
        "device signs its request and sees its own payments only.\n\n"
        "*Whose* names the side of the thing on which the asker has to be. What is on no side of\n"
        "the asker's is answered as what does not exist: with the same bytes, and after as many\n"
        "questions to the database.\n\n"
    )
    return told + table(("request", *asking, "whose", "besides"), rows)


def members(schema: dict[str, Any]) -> str:
    """Write the members of a body."""
    needed = schema.get("required", ())
    rows = [
        (f"`{name}`", shape_of(shape), "yes" if name in needed else "no")
        for name, shape in schema["properties"].items()
    ]
    return table(("member", "what", "needed"), rows)


def shape_of(shape: dict[str, Any]) -> str:
    """Say in a few words what a value looks like."""
    if "$ref" in shape:
        return f"an object: {shape['$ref'].rpartition('/')[2]}"
    if "anyOf" in shape:
        return " or ".join(shape_of(one) for one in shape["anyOf"])
    if "enum" in shape:
        return " or ".join(f"`{value}`" for value in shape["enum"])
    if "pattern" in shape:
        return "text that is not blank" if "\\S" in shape["pattern"] else "units"
    if shape.get("type") == "array":
        return f"a list: {shape_of(shape['items'])}"
    if shape.get("type") == "integer":
        return f"{shape['minimum']} to {shape['maximum']}"
    return {"string": "text", "boolean": "true or false"}.get(shape["type"], shape["type"])


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Walk through every command, by the words one types."""
    yield from _below("farthing", typer.main.get_command(commands))


def _below(words: str, command: Any) -> Iterator[tuple[str, click.Command]]:
    if not hasattr(command, "commands"):
        yield words, command
        return
    below = command.imported() if isinstance(command, LazyGroup) else command.commands
    for name, inner in below.items():
        yield from _below(f"{words} {name}", inner)


def command_page() -> str:
    """Write the page of commands."""
    parts = [f"# Commands\n{NOTE}"]
    for words, command in all_commands():
        told = re.sub(r"\s+Example: ", "\n\nExample: ", (command.help or "").strip())
        told = re.sub(r"Example: (.*?)\.?$", r"Example: `\1`", told, flags=re.MULTILINE)
        parts.append(f"\n## `{words}`\n\n{told}\n")
        rows = [
            (", ".join(f"`{name}`" for name in _names(option)), getattr(option, "help", "") or "")
            for option in command.params
            if option.name != "help"
        ]
        if rows:
            parts.append("\n" + table(("argument", "what"), rows))
    return "".join(parts)


def _names(option: Any) -> list[str]:
    if option.param_type_name == "argument":
        return [(option.metavar or option.name).upper()]
    return [*option.opts, *option.secondary_opts]


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
