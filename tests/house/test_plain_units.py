"""What a unit carries can leave its process: no lambda, and no function made inside another."""

import ast
from pathlib import Path

_SOURCE = Path("src/farthing")


def closures_in(tree: ast.AST):
    """Find what is handed to `Once` or `.once` and has no name to be found by elsewhere."""
    inner = {
        made.name
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        for made in ast.walk(outer)
        if isinstance(made, ast.FunctionDef | ast.AsyncFunctionDef) and made is not outer
    }
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _makes_a_unit(call.func):
            for part in ast.walk(call):
                named = isinstance(part, ast.Name) and part.id in inner
                if named or isinstance(part, ast.Lambda):
                    yield part.lineno


def _makes_a_unit(func: ast.expr) -> bool:
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    return name in ("once", "Once")


def test_no_unit_carries_a_closure():
    found = [
        f"{file}:{line}"
        for file in sorted(_SOURCE.rglob("*.py"))
        for line in closures_in(ast.parse(file.read_text()))
    ]
    assert found == []


def test_a_closure_would_be_seen():
    text = "def handler(call):\n    def render(x): return x\n    call.once(unit, render)\n"
    assert list(closures_in(ast.parse(text))) == [3]
    assert list(closures_in(ast.parse("Once(unit, b'', b'', 200, lambda a: a)"))) == [1]
