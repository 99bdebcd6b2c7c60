"""Small changes to a file's functions, one at a time: what a slip of the pen could have written.

Left alone are docstrings, annotations, defaults and decorators, what runs when a module is
imported, and text with a space in it, which people read and programs do not.
"""

import ast
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
CALLED = {"min": "max", "max": "min", "any": "all", "all": "any"}
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Change:
    """One change: where it is, and what it is.

    Shape: `function` is the outermost one, `line` the text of the line as it stands, `what` says
           what becomes what, `number` tells apart what is otherwise alike, and `digest` is that
           of the whole function.
    """

    file: str
    function: str
    line: str
    what: str
    number: int
    digest: str

    @property
    def key(self) -> str:
        """Name it, for as long as its line stands as it is."""
        which = f" ({self.number})" if self.number > 1 else ""
        return f"{self.file} {self.function}: {self.line}: {self.what}{which}"


def changed(file: str, source: str) -> Iterator[tuple[Change, ast.Module]]:
    """Give each change with the whole tree that has it; the next one takes it back."""
    tree = ast.parse(source)
    lines = source.splitlines()
    seen: dict[tuple[str, str, str], int] = {}
    for name, function in list(_functions(tree)):
        digest = hashlib.sha256(ast.unparse(function).encode()).hexdigest()[:16]
        for node in _nodes(function):
            for what, swap in _swaps(node):
                line = lines[node.lineno - 1].strip()
                number = seen[name, line, what] = seen.get((name, line, what), 0) + 1
                back = swap()
                yield Change(file, name, line, what, number, digest), tree
                back()


def _functions(at: ast.AST, within: str = "") -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(at):
        if isinstance(node, Function):
            name = "lambda" if isinstance(node, ast.Lambda) else node.name
            yield within + name, node
        else:
            inside = f"{within}{node.name}." if isinstance(node, ast.ClassDef) else within
            yield from _functions(node, inside)


def _nodes(function: Function) -> Iterator[ast.AST]:
    """Walk what a function does, in the order it is written: not its head, nor its docstring."""
    body = function.body if isinstance(function.body, list) else [function.body]
    for statement in body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        yield from _walk(statement)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    if hasattr(node, "lineno"):
        yield node
    if isinstance(node, Function):
        yield from _nodes(node)
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment") or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk(child)


Swap = tuple[str, Callable[[], Callable[[], None]]]


def _put(node: ast.AST, name: str, value: object) -> Callable[[], Callable[[], None]]:
    def swap() -> Callable[[], None]:
        before = getattr(node, name)
        setattr(node, name, value)
        return lambda: setattr(node, name, before)

    return swap


def _become(node: ast.AST, other: ast.AST) -> Callable[[], Callable[[], None]]:
    """Make a node be another in place, whoever holds it."""

    def swap() -> Callable[[], None]:
        kind, fields = node.__class__, dict(node.__dict__)
        node.__class__ = other.__class__
        node.__dict__.update(ast.copy_location(other, node).__dict__)

        def back() -> None:
            node.__class__ = kind
            node.__dict__.clear()
            node.__dict__.update(fields)

        return back

    return swap


def _kept(node: ast.AST) -> ast.AST:
    """Copy a node's head: `_become` must not make a node its own child."""
    copied = node.__class__(**dict(ast.iter_fields(node)))
    return ast.copy_location(copied, node)


def _swaps(node: ast.AST) -> Iterator[Swap]:
    match node:
        case ast.Compare():
            for i, op in enumerate(node.ops):
                other = COMPARED[type(op)]
                ops: list[ast.cmpop] = [*node.ops[:i], other(), *node.ops[i + 1 :]]
                yield f"{_word(op)} becomes {_word(other())}", _put(node, "ops", ops)
        case ast.BinOp(op=op) | ast.AugAssign(op=op):
            other = COUNTED[type(op)]()
            yield f"{_word(op)} becomes {_word(other)}", _put(node, "op", other)
        case ast.BoolOp(op=op):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"{_word(op)} becomes {_word(other)}", _put(node, "op", other)
        case ast.UnaryOp(operand=operand):
            yield f"{_word(node.op)} is left out", _become(node, _kept(operand))
        case ast.Constant(value=value):
            yield from _other_value(node, value)
        case ast.Call(func=ast.Name(id=name)) if name in CALLED:
            yield f"{name} becomes {CALLED[name]}", _put(node.func, "id", CALLED[name])
        case _:
            pass
    yield from _flows(node)
    yield from _left_out(node)


def _other_value(node: ast.Constant, value: object) -> Iterator[Swap]:
    if isinstance(value, bool):
        yield f"{value} becomes {not value}", _put(node, "value", not value)
    elif isinstance(value, int):
        yield f"{value} becomes {value + 1}", _put(node, "value", value + 1)
    elif isinstance(value, str) and " " not in value:
        yield f"{value!r} becomes {value + '~'!r}", _put(node, "value", value + "~")
    elif isinstance(value, bytes):
        yield f"{value!r} becomes {value + b'~'!r}", _put(node, "value", value + b"~")


def _flows(node: ast.AST) -> Iterator[Swap]:
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if not isinstance(
            test, ast.Compare | ast.UnaryOp | ast.Constant
        ):
            against = ast.copy_location(ast.UnaryOp(ast.Not(), test), test)
            yield "the condition is turned round", _put(node, "test", against)
        case ast.Return(value=ast.expr() as value) if not (
            isinstance(value, ast.Constant) and value.value in (None, False)
        ):
            yield "None is returned", _put(node, "value", _none(value))
        case ast.Break():
            yield "break becomes continue", _become(node, ast.Continue())
        case ast.Continue():
            yield "continue becomes break", _become(node, ast.Break())
        case ast.Assign(targets=[ast.Name(id="detail")]):
            pass  # What people read of a refusal.
        case ast.Assign(value=value) if not isinstance(value, ast.Constant):
            yield "None is assigned", _put(node, "value", _none(value))
        case _:
            pass


def _left_out(node: ast.AST) -> Iterator[Swap]:
    match node:
        case ast.Expr(value=ast.Call() as call):
            yield f"the call of {ast.unparse(call.func)} is left out", _become(node, ast.Pass())
        case ast.Raise():
            yield "raise is left out", _become(node, ast.Pass())
        case ast.Call(keywords=keywords) if keywords:
            for i, one in enumerate(keywords):
                fewer = [*keywords[:i], *keywords[i + 1 :]]
                yield f"{one.arg or '**'}= is left out", _put(node, "keywords", fewer)
        case _:
            pass


def _none(at: ast.expr) -> ast.Constant:
    return ast.copy_location(ast.Constant(None), at)


WORDS = {
    "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "Eq": "==", "NotEq": "!=", "Is": "is",
    "IsNot": "is not", "In": "in", "NotIn": "not in", "Add": "+", "Sub": "-", "Mult": "*",
    "FloorDiv": "//", "Div": "/", "Mod": "%", "Pow": "**", "BitOr": "|", "BitAnd": "&",
    "BitXor": "^", "LShift": "<<", "RShift": ">>", "And": "and", "Or": "or", "Not": "not",
    "USub": "-", "UAdd": "+", "Invert": "~",
}  # fmt: skip


def _word(op: ast.AST) -> str:
    return WORDS[type(op).__name__]
