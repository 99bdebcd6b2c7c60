"""The Press sells documents about this machine, rendered when they are asked for.

It is an ordinary web service that knows nothing of money: the reverse proxy in front of it does.
"""

import html
import time
from collections import deque
from typing import Any

from farthing.demo.machine import all_readings, gauges
from farthing.demo.web import Page, Route, Routes

PRICES = {
    "note.txt": "0.002 USD",
    "chart.svg": "0.004 USD",
    "report.html": "0.0125 USD",
    "atlas.html": "0.03 USD",
}
_WIDTH, _HEIGHT, _POINTS = 600, 160, 60


def price_file(payee: str, category: str) -> str:
    """Write the price file that the proxy reads."""
    lines = ["[seller]", 'realm = "press.demo"', f'payee = "{payee}"', 'prefixes = ["/"]']
    for name, price in PRICES.items():
        lines += ["", "[[offer]]", f'path = "/{name}"', f'price = "{price}"']
        lines += [f'description = "{name} about this machine"', f'category = "{category}"']
    return "\n".join(lines) + "\n"


class Press:
    """Renders text, charts and pages of what the machine's gauges say."""

    def __init__(self) -> None:
        self._loads: deque[float] = deque(maxlen=_POINTS)

    def app(self) -> Routes:
        """Give the service as an ASGI app."""
        return Routes(
            [
                Route("/note.txt", self._note),
                Route("/chart.svg", self._chart),
                Route("/report.html", self._report),
                Route("/atlas.html", self._atlas),
            ]
        )

    def _sample(self) -> None:
        self._loads.append(float(gauges()["load"]()["minutes_1"]))

    async def _note(self, _rest: str) -> Page:
        self._sample()
        rows = [f"{name:<32}{value}" for name, value in _flat(all_readings())]
        text = "\n".join([time.strftime("This machine at %Y-%m-%d %H:%M:%S"), "", *rows, ""])
        return Page(text.encode(), "text/plain; charset=utf-8")

    async def _chart(self, _rest: str) -> Page:
        self._sample()
        return Page(chart(list(self._loads)).encode(), "image/svg+xml")

    async def _report(self, _rest: str) -> Page:
        self._sample()
        body = chart(list(self._loads)) + _table(_flat(all_readings()))
        return _document("This machine", body)

    async def _atlas(self, _rest: str) -> Page:
        self._sample()
        parts = [
            f"<h2>{html.escape(name)}</h2>{_table(_flat({name: reading}))}"
            for name, reading in all_readings().items()
        ]
        return _document("Atlas of this machine", chart(list(self._loads)) + "".join(parts))


def chart(values: list[float]) -> str:
    """Draw values as a line from a zero baseline, the newest at the right."""
    top = max([1.0, *values])
    step = _WIDTH / max(1, _POINTS - 1)
    start = _WIDTH - step * (len(values) - 1)
    points = " ".join(
        f"{start + i * step:.1f},{_HEIGHT * (1 - value / top):.1f}"
        for i, value in enumerate(values)
    )
    latest = values[-1] if values else 0
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT + 24}">'
        f'<polyline points="{points}" fill="none" stroke="#a6622f" stroke-width="2"/>'
        f'<path d="M0 {_HEIGHT}H{_WIDTH}" stroke="#999"/>'
        f'<text x="0" y="{_HEIGHT + 18}" font-family="sans-serif" font-size="14">'
        f"load now {latest}, at most {top:g}</text></svg>"
    )


def _flat(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(prefix, value)]
    rows: list[tuple[str, Any]] = []
    for name, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
        rows += _flat(inner, f"{prefix} {name}".strip())
    return rows


def _table(rows: list[tuple[str, Any]]) -> str:
    cells = (f"<tr><th>{html.escape(n)}</th><td>{html.escape(str(v))}</td></tr>" for n, v in rows)
    return f"<table>{''.join(cells)}</table>"


def _document(title: str, body: str) -> Page:
    text = f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>{body}\n"
    return Page(text.encode(), "text/html; charset=utf-8")
