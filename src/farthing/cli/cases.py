"""`farthing cases`: payments that were flagged or stopped, and what somebody says they were."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import typer

from farthing.cli import views
from farthing.cli.local import ask_all, ask_hub, assets_of
from farthing.cli.options import ConfigOption
from farthing.terminal.frame import Answer, command
from farthing.terminal.tables import columns
from farthing.terminal.typed import in_path

cases_app = typer.Typer(help="What was flagged or stopped.", no_args_is_help=True)
CaseArgument = Annotated[str, typer.Argument(help="cas_…")]


@command(cases_app, "list", lines=views.cases, elsewhere=True)
def list_cases(
    state: Annotated[
        Literal["open", "proposed", "decided", "all"], typer.Option(help="How far they are.")
    ] = "open",
    device: Annotated[str, typer.Option(help="Only of this device: dev_…")] = "",
    payee: Annotated[str, typer.Option(help="Only of payments to this account: acc_…")] = "",
    config: ConfigOption = None,
) -> Any:
    """List cases, newest first. Example: farthing cases list --state all."""
    wanted = "" if state == "all" else state
    return ask_all("/v1/cases", config, state=wanted, device=device, payee=payee)


@command(cases_app, "show", elsewhere=True)
def show_case(case: CaseArgument, config: ConfigOption = None) -> Any:
    """Show a case: what was odd, what was said, and payments that have to do with it.

    Example: farthing cases show cas_01j…
    """
    found = ask_hub("GET", f"/v1/cases/{in_path(case)}", config=config)
    assets = assets_of(config)

    def lines(told: Any) -> Iterator[str]:
        paid = told["of"]
        yield f"{told['payment']}: {views.money_text(paid['amount'], paid['asset'], assets)}"
        yield f"from {told['device']} to {told['payee']}, {paid['created_at']}, {paid['state']}"
        for reason in paid["risk"]["reasons"] if "risk" in paid else ():
            watched = "" if reason["acts"] else " (only watched)"
            yield f"odd: {reason['said']} ({reason['rule']}){watched}"
        for step in told["steps"]:
            yield f"{step['state']}: {step['verdict']}, says {step['by']}: {step['reason']}"
        if not told["steps"]:
            yield f'open: farthing cases decide {told["id"]} fraud "…"'
        yield from columns(
            [one["created_at"], one["by"], one["payment"], one["state"],
             views.money_text(one["amount"], one["asset"], assets), _flagged(one)]
            for one in told["related"]
        )  # fmt: skip

    return Answer(found, lines)


def _flagged(related: Any) -> str:
    return f"{related['case']} {related['verdict'] or 'open'}" if related["case"] else ""


@command(cases_app, "decide", lines=lambda case: views.cases([case]), elsewhere=True)
def decide_case(
    case: CaseArgument,
    verdict: Annotated[
        Literal["fraud", "legitimate", "unclear"], typer.Argument(help="What it was.")
    ],
    reason: Annotated[str, typer.Argument(help="Why, in a sentence.")],
    *,
    anew: Annotated[bool, typer.Option(help="Decide once more what was decided.")] = False,
    config: ConfigOption = None,
) -> Any:
    """Say what a payment was, and why. It moves no money.

    Example: farthing cases decide cas_01j… fraud "the locker was broken open"
    """
    body = {"verdict": verdict, "reason": reason, "anew": anew}
    return ask_hub("POST", f"/v1/cases/{in_path(case)}/decide", body, config)
