"""What came of a demo, on one screen: it is printed at the end and stays."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from farthing.demo import words
from farthing.demo.finale import Result
from farthing.demo.tally import Tally
from farthing.demo.view import COPPER, FAINT


def summary(tally: Tally, result: Result) -> RenderableType:
    """Write the summary; every sum in it can be checked by eye."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style=FAINT, min_width=8, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("paid", Padding(_paid(tally), (0, 0, 1, 0)))
    table.add_row("refused", Padding(_refused(tally), (0, 0, 1, 0)))
    table.add_row("speed", _speed(result))
    table.add_row("money", _money(tally))
    table.add_row("audit", _audit(result))
    table.add_row("receipt", _receipt(result))
    if tally.troubles:
        table.add_row("trouble", Text("\n".join(tally.troubles[:5]), "red"))
    title = Text.assemble(("Farthing", f"bold {COPPER}"), ("  hub ", FAINT), tally.hub_id)
    return Group("", title, Padding(table, (1, 0)))


def _rows() -> Table:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(justify="right", min_width=5)
    rows.add_column(min_width=8)
    rows.add_column(style=FAINT)
    return rows


def _paid(tally: Tally) -> RenderableType:
    rows = _rows()
    for shop in tally.shops.values():
        rows.add_row(f"{shop.sold:,}", words.aligned(shop.balance), f"at the {shop.name}")
    total = f"USD in {words.plural(tally.payments, 'payment')}"
    rows.add_row(
        Text(f"{tally.payments:,}", "bold"), Text(words.aligned(tally.volume), "bold"), total
    )
    return rows


def _refused(tally: Tally) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(justify="right", min_width=5)
    rows.add_column()
    rows.add_column(style=FAINT)
    for code, count in tally.refused.most_common():
        rows.add_row(f"{count:,}", words.reason(code), code)
    rows.add_row(Text(f"{sum(tally.refused.values()):,}", "bold"), "and nobody paid for these", "")
    return rows


def _speed(result: Result) -> Text:
    return Text.assemble(
        f"p50 {words.milliseconds(result.p50_ms)}, p99 {words.milliseconds(result.p99_ms)}",
        ("  from asking to having it, the payment included", FAINT),
    )


def _money(tally: Tally) -> Text:
    text = Text(f"{words.price(tally.put_in)} of test money put in")
    text.append(f" = {words.number(tally.with_devices)} with devices", FAINT)
    text.append(f" + {words.number(tally.with_shops)} with shops ", FAINT)
    return text.append("✓" if tally.balances else "✗", "green" if tally.balances else "red")


def _audit(result: Result) -> Text:
    if result.audit != "ok":
        return Text(f"✗ {result.audit}", "red")
    report = result.report
    walked = f"  {report.transfers:,} transfers in {report.commits:,} signed commits, recomputed"
    return Text.assemble(("✓ ok", "green"), (walked, FAINT))


def _receipt(result: Result) -> Text:
    if not result.receipt_verified:
        return Text(f"✗ {result.receipt_fault}", "red")
    return Text.assemble(
        ("✓ ", "green"),
        result.receipt,
        ("\nverified offline, with nothing but the root key\n" + result.root_key, FAINT),
    )
