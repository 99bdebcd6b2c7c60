"""Plots as SVG, written by hand: a few bars need no library, and they come out the same each time.

Text and lines take the colour of the page they stand in; as a picture of their own they are dark
on light or light on dark, as the reader's screen is. They are narrow enough for a phone.
"""

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

_WIDTH, _SIDE, _TOP, _ROW = 520, 12, 48, 38
_COLOURS = ("#3d85c6", "#d9822b", "#5a9e54", "#a06cc4")
_STYLE = (
    ".speed-plot{color:inherit;font:13px system-ui,sans-serif}"
    ".speed-plot:root{color:#1c1c1c;background:#fff}"
    "@media(prefers-color-scheme:dark){.speed-plot:root{color:#e8e8e8;background:#16181c}}"
)


class Bar(NamedTuple):
    """One bar: what it is of, which kind of bar (they have a colour each), and how long.

    Shape: `mark` is a limit that is drawn as a line across it, or nothing.
    """

    label: str
    kind: str
    value: float
    mark: float | None = None


def bars(title: str, unit: str, shown: Sequence[Bar], mark: str = "") -> str:
    """Draw bars over a logarithmic axis: each line stands for ten times what the last one does."""
    values = [value for bar in shown for value in (bar.value, bar.mark) if value and value > 0]
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    if low == log10(min(values)):
        low -= 1  # A bar of no length says nothing.
    kinds = list(dict.fromkeys(bar.kind for bar in shown))
    colours = {kind: _COLOURS[i % len(_COLOURS)] for i, kind in enumerate(kinds)}
    foot = _TOP + _ROW * len(shown)

    def x_of(value: float) -> float:
        share = (log10(max(value, 10.0**low)) - low) / (high - low)
        return round(_SIDE + share * (_WIDTH - 2 * _SIDE), 1)

    parts = [_text(_SIDE, 18, title, weight="600"), *_legend(colours, mark)]
    parts += _axis(low, high, foot, unit, x_of)
    for i, bar in enumerate(shown):
        top = _TOP + _ROW * i
        long = x_of(bar.value) - _SIDE
        parts.append(_text(_SIDE, top + 13, bar.label))
        parts.append(_text(_WIDTH - _SIDE, top + 13, _number(bar.value), anchor="end"))
        parts.append(
            f'<rect x="{_SIDE}" y="{top + 18}" width="{long:.1f}" height="13" rx="2"'
            f' fill="{colours[bar.kind]}"/>'
        )
        if bar.mark:
            parts.append(_line(x_of(bar.mark), top + 15, x_of(bar.mark), top + 34, 2.5, 1))
    return _drawn(title, foot + 44, parts)


def _drawn(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="speed-plot" width="{_WIDTH}"'
        f' height="{height}" viewBox="0 0 {_WIDTH} {height}" fill="currentColor">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def share_bars(title: str, shown: Sequence[Bar]) -> str:
    """Draw shares between 0 and 1, those of a label under it: a bar ends where its share is."""
    kinds = list(dict.fromkeys(bar.kind for bar in shown))
    colours = {kind: _COLOURS[i % len(_COLOURS)] for i, kind in enumerate(kinds)}
    parts = [_text(_SIDE, 18, title, weight="600"), *_legend(colours, "")]
    top, label, room = _TOP, "", _WIDTH - 2 * _SIDE - 50
    for bar in shown:
        if bar.label != label:
            parts.append(_text(_SIDE, top + 15, bar.label))
            top, label = top + 20, bar.label
        long = round(room * bar.value, 1)
        parts.append(
            f'<rect x="{_SIDE}" y="{top}" width="{long}" height="12" rx="2"'
            f' fill="{colours[bar.kind]}"/>'
        )
        parts.append(_text(_SIDE + long + 6, top + 11, f"{bar.value:.3f}"))
        top += 15
    return _drawn(title, top + 12, parts)


def _legend(colours: dict[str, str], mark: str) -> list[str]:
    parts: list[str] = []
    x = _SIDE
    for kind, colour in colours.items():
        parts.append(f'<rect x="{x}" y="28" width="11" height="11" rx="2" fill="{colour}"/>')
        parts.append(_text(x + 16, 38, kind))
        x += 32 + 7 * len(kind)
    if mark:
        parts += [_line(x + 4, 26, x + 4, 41, 2.5, 1), _text(x + 12, 38, mark)]
    return parts


def _axis(low: int, high: int, foot: int, unit: str, x_of: Callable[[float], float]) -> list[str]:
    parts: list[str] = []
    for power in range(low, high + 1):
        x = x_of(10.0**power)
        parts.append(_line(x, _TOP, x, foot, 1, 0.25))
        anchor = "start" if power == low else "end" if power == high else "middle"
        parts.append(_text(x, foot + 16, _number(10.0**power), anchor=anchor))
    parts.append(_text(_WIDTH / 2, foot + 34, f"{unit} (logarithmic)", anchor="middle"))
    return parts


def _line(x: float, y: float, to_x: float, to_y: float, width: float, strength: float) -> str:
    return (
        f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="currentColor"'
        f' stroke-width="{width}" stroke-opacity="{strength}"/>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "400") -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
