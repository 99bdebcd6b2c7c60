"""The running code of the files that are changed: which functions tests call, and putting others
in their place. Whoever imported a function keeps it, and gets what its code says now.
"""

import ast
import gc
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import _lru_cache_wrapper
from pathlib import Path
from types import CodeType, FunctionType

OPTIMIZED = 1  # A function's code, and not that of a class or a module.
Mark = tuple[str, str, int, bytes]


def compiled(path: Path, tree: ast.Module) -> list[CodeType]:
    """Compile a file; give its outermost functions, in the order they are written."""
    fixed = ast.fix_missing_locations(tree)
    return list(_outermost(compile(fixed, str(path), "exec", dont_inherit=True)))


def _outermost(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_flags & OPTIMIZED:
                yield inner
            else:
                yield from _outermost(inner)


def _inside(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _inside(inner)


def mark(code: CodeType) -> Mark:
    """Tell one code from all others, though it was read from a cache of byte code."""
    return code.co_filename, code.co_qualname, code.co_firstlineno, code.co_linetable


class Watched:
    """Files, and which of their outermost functions are called."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.codes = {path: compiled(path, ast.parse(path.read_text())) for path in paths}
        self._outer = {
            mark(inner): mark(outer)
            for codes in self.codes.values()
            for outer in codes
            for inner in _inside(outer)
        }
        self._files = {str(path) for path in paths}
        wanted = set(self._outer.values())
        self._live: dict[Mark, list[FunctionType]] = {}
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and (found := mark(one.__code__)) in wanted:
                self._live.setdefault(found, []).append(one)
        self._remembered = [
            one
            for one in gc.get_objects()
            if isinstance(one, _lru_cache_wrapper) and str(one.__module__).startswith("farthing.")
        ]

    def forget(self) -> None:
        """Empty what functions remember of their answers."""
        for one in self._remembered:
            one.cache_clear()

    def called_by(self, run: Callable[[], object]) -> set[Mark]:
        """Run something; give the functions that it called."""
        called: set[Mark] = set()

        def look(frame, event, arg):
            code = frame.f_code
            if event == "call" and code.co_filename in self._files:
                called.add(self._outer.get(mark(code), mark(code)))

        threading.setprofile(look)
        sys.setprofile(look)
        try:
            run()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        return called

    def differing(self, path: Path, tree: ast.Module) -> list[tuple[Mark, CodeType]]:
        """Give the functions whose code another tree of their file changes, with that code."""
        pairs = zip(self.codes[path], compiled(path, tree), strict=True)
        return [(mark(old), new) for old, new in pairs if old != new]

    def code_of(self, which: Mark) -> CodeType:
        """Give a function's code as it was read."""
        return next(c for codes in self.codes.values() for c in codes if mark(c) == which)

    def put(self, changes: Sequence[tuple[Mark, CodeType]]) -> int:
        """Give functions their new code; tell how many there were."""
        put = 0
        for which, code in changes:
            for function in self._live.get(which, []):
                function.__code__ = code
                put += 1
        return put
