"""The live picture of a demo: calm, exact, and never higher than the terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from farthing.demo import words
from farthing.demo.tally import DeviceRow, Entry, Sign, Tally, quantile

COPPER = "#b87340"
FAINT = "grey58"
LOOKS = {
    Sign.PAID: ("✓", "green"),
    Sign.REFUSED: ("✗", "red"),
    Sign.ASKING: ("?", "yellow"),
    Sign.NOTE: ("•", COPPER),
    Sign.TROUBLE: ("!", "bold red"),
}
_WIDE, _LEFT = 116, 74
_BLOCKS = "▁▂▃▄▅▆▇█"
_BAR_CELLS = 8
_SPARKS = 16


def frame(tally: Tally, width: int, height: int) -> RenderableType:
    """Draw everything as it stands now."""
    top = [header(tally, width), Rule(style=FAINT)]
    room = height - 4 - len(_wallet(tally, width))
    if width >= _WIDE:
        sides = Table.grid(padding=(0, 2), expand=True)
        sides.add_column(width=_LEFT)
        sides.add_column(ratio=1)
        left: list[RenderableType] = [devices(tally, _LEFT)]
        if room > len(tally.devices) + 4:
            left += ["", refusals(tally, room - len(tally.devices) - 3)]
        feeding = feed(tally, width - _LEFT - 2, room - len(tally.shops) - 2)
        sides.add_row(Group(*left), Group(shops(tally), "", feeding))
        return Group(*top, sides)
    left_over = room - len(tally.devices) - len(tally.shops) - 4
    body: list[RenderableType] = [devices(tally, width), "", shops(tally)]
    if left_over > 0:
        body += ["", feed(tally, width, left_over)]
    return Group(*top, *body)


def header(tally: Tally, width: int) -> RenderableType:
    """Draw who, how much, how fast, and the sum that must come out."""
    title = Text.assemble(("Farthing", f"bold {COPPER}"), ("  hub ", FAINT), tally.hub_id)
    clock = f"{words.moment(min(tally.now(), tally.seconds))} of {words.moment(tally.seconds)}"
    # The amount is of the same moment of the books as every other amount on the screen.
    counts = Text.assemble(
        (words.price(tally.with_shops), "bold"),
        f" in {words.plural(tally.payments, 'payment')}",
        (f"  {sum(tally.refused.values()):,} refused", FAINT),
    )
    first, second = _ends(title, Text(clock, FAINT)), _ends(counts, speed(tally, width))
    return Group(first, second, balance(tally), *_wallet(tally, width))


def _wallet(tally: Tally, width: int) -> list[Text]:
    """Write the link to the fleet's wallet, in as many lines as it takes; nothing may be lost."""
    if not tally.wallet:
        return []
    text = f"wallet  {tally.wallet}"
    return [
        Text(text[at : at + width], f"{COPPER} link {tally.wallet}")
        for at in range(0, len(text), width)
    ]


def _ends(left: Text, right: Text) -> Table:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_row(left, right)
    return grid


def balance(tally: Tally) -> Text:
    """Write the sum: what was put in is with the devices or with the shops."""
    sign, color = ("✓", "green") if tally.balances else ("✗ does not balance", "red")
    text = Text.assemble(
        f"{words.price(tally.put_in)} put in",
        (f" = {words.number(tally.with_devices)} with devices", FAINT),
        (f" + {words.number(tally.with_shops)} with shops ", FAINT),
    )
    return text.append(sign, color)


def speed(tally: Tally, width: int) -> Text:
    """Write the latency of a paid request, with its course where there is room."""
    if not tally.latencies_ms:
        return Text("")
    text = Text()
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        text.append(f"  {name} ", FAINT)
        text.append(words.milliseconds(tally.latency_ms(share)))
        if width >= _WIDE or (share == 0.5 and width >= 76):
            values = [quantile(part, share) for part in tally.slices if part]
            text.append(" " + sparkline(values[-_SPARKS:]), COPPER)
    return text


def sparkline(values: Sequence[float]) -> str:
    """Draw values from a zero baseline."""
    top = max(values, default=0) or 1
    return "".join(_BLOCKS[round(value / top * (len(_BLOCKS) - 1))] for value in values)


def _columns(*columns: tuple[str, str, int | None]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=FAINT, expand=True)
    for title, side, width in columns:
        table.add_column(
            title,
            justify="right" if side == "right" else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=width,
            ratio=None if width else 1,
        )
    return table


def devices(tally: Tally, width: int) -> Table:
    """Draw the fleet."""
    table = _columns(
        ("device", "left", 11), ("balance", "left", 8), ("spent", "left", 8),
        ("budget", "left", _BAR_CELLS), ("last", "left", None),
    )  # fmt: skip
    table.width = width
    for row in tally.devices.values():
        name = Text(row.name, f"strike {FAINT}" if row.revoked else "bold")
        table.add_row(
            name,
            words.aligned(row.balance),
            Text(words.aligned(row.spent), FAINT),
            Text() if row.revoked else bar(row.budget_left(tally.wall()), row.budget),
            state(row),
        )
    return table


def bar(left: int, limit: int) -> Text:
    """Draw what a budget leaves: full at the start of its period."""
    cells = -(-left * _BAR_CELLS // limit) if limit else 0
    color = "red" if not left else "yellow" if left * 5 < limit else "default"
    return Text.assemble(("━" * cells, color), ("─" * (_BAR_CELLS - cells), f"dim {FAINT}"))


def state(row: DeviceRow) -> Text:
    """Say how a device's last wish ended."""
    entry = row.last
    if entry is None:
        return Text("ready", FAINT)
    sign, color = LOOKS[entry.sign]
    text = Text(f"{sign} ", color)
    if entry.sign is Sign.PAID:
        return text.append(words.number(entry.units), "default").append(f" {entry.what}", FAINT)
    return text.append(_said(entry), "default")


def _said(entry: Entry) -> str:
    if entry.sign is Sign.ASKING:
        return "asks its owner"
    if entry.sign is Sign.NOTE:
        return entry.what
    return words.reason(entry.reason)


def shops(tally: Tally) -> Table:
    """Draw the shops."""
    table = _columns(("shop", "left", 11), ("earned", "left", 8), ("sold", "right", 6),
                     ("refused", "right", 8), ("", "left", None))  # fmt: skip
    for row in tally.shops.values():
        table.add_row(
            Text(row.name, "bold"),
            words.aligned(row.balance),
            f"{row.sold:,}",
            Text(f"{row.refused:,}", FAINT),
            "",
        )
    return table


def refusals(tally: Tally, lines: int) -> Table:
    """Draw why payments were refused, the most frequent reason first."""
    table = _columns(("refused", "right", 11), ("because", "left", None))
    for code, count in tally.refused.most_common(max(0, lines - 1)):
        table.add_row(f"{count:,}", Text(words.reason(code)))
    return table


def feed(tally: Tally, width: int, lines: int) -> Group:
    """Draw the latest entries, the newest first."""
    latest = list(reversed(tally.feed))[: max(0, lines)]
    return Group(*(_feed_line(entry, width) for entry in latest))


def _feed_line(entry: Entry, width: int) -> Text:
    sign, color = LOOKS[entry.sign]
    amount = words.aligned(entry.units) if entry.units else ""
    wish = f" → {entry.shop} {entry.what}" if entry.shop else ""
    text = Text.assemble((f"{words.moment(entry.at):>5} ", FAINT), (f"{sign} ", color), entry.who)
    if entry.sign is Sign.PAID:
        text.append(wish, FAINT)
    else:
        said = f"{wish if width > _LEFT else ''}: {_said(entry)}"
        text.append(said, FAINT)
    if not amount:
        text.truncate(width, overflow="ellipsis")
        return text
    text.truncate(width - len(amount) - 1, overflow="ellipsis", pad=True)
    return text.append(f" {amount}")
