"""`farthing pay` and `farthing enrol`: the device's commands."""

import asyncio
import json
import math
import os
import ssl
import stat
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import httpx
import typer

from farthing import keys
from farthing.device.at_most import AT_MOST, AtMost
from farthing.device.client import Client, paid, promised, unproven
from farthing.device.enrolment import enrol as enrol_device
from farthing.device.enrolment import rotate
from farthing.device.giving_up import ANEW, GivenUp
from farthing.device.network_faults import network_fault
from farthing.device.outcomes import AlreadyPaid, AnswerLost, Paid, Promised, Unproven, WillNotPay
from farthing.device.patience import Patience
from farthing.device.pay_request import PayRequest, read_request
from farthing.device.purse import default_path, open_purse
from farthing.errors import Malformed, OutcomeUnknown
from farthing.protocols.session_client import session_asks
from farthing.protocols.x402_batch import batch_asks
from farthing.terminal.exits import Exit
from farthing.terminal.frame import Answer
from farthing.terminal.talk import ask_secret, can_ask, manners, say
from farthing.terminal.typed import one_line, without_userinfo

PurseOption = Annotated[
    Path | None,
    typer.Option(
        "--purse",
        help="The device's purse [$FARTHING_PURSE, $FARTHING_HOME/purse, ~/.farthing/purse].",
    ),
]
PlainHttp = Annotated[
    bool, typer.Option("--plain-http", help="Allow servers without TLS on other machines.")
]
CaCert = Annotated[
    Path | None, typer.Option("--cacert", help="Trust the certificates in this file.")
]


def _finite(seconds: float | None) -> float | None:
    if seconds is not None and not math.isfinite(seconds):
        raise typer.BadParameter("give a number of seconds")
    return seconds


Within = Annotated[
    float | None,
    typer.Option(
        "--within", min=0.1, callback=_finite, help="Give up after so many seconds in all."
    ),
]


def pay(
    url: Annotated[str, typer.Argument(help="What to ask for.")],
    *,
    largest: Annotated[
        list[str] | None,
        typer.Option("--max", help='Pay at most this [default: the purse\'s, or "0.05 USD"].'),
    ] = None,
    method: Annotated[str | None, typer.Option("--request", "-X", help="The method.")] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", help='A header: "Name: value", or @FILE, @-.'),
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option("--data", "-d", help="Form data, or @FILE; means POST.")
    ] = None,
    data_binary: Annotated[
        str | None, typer.Option("--data-binary", help="A body as it is, or @FILE, or @-.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the body to a file.")
    ] = None,
    include: Annotated[
        bool, typer.Option("--include", "-i", help="Write status and headers before the body.")
    ] = False,
    location: Annotated[
        bool, typer.Option("--location", "-L", help="Follow redirects; pay only where asked.")
    ] = False,
    fail: Annotated[
        bool, typer.Option("--fail", "-f", help="Exit with 22 on an HTTP error.")
    ] = False,
    payee: Annotated[
        list[str] | None, typer.Option("--payee", help="Pay only these accounts.")
    ] = None,
    prefer: Annotated[str, typer.Option("--prefer", help="mpp or x402.")] = "mpp",
    wait: Annotated[
        float, typer.Option("--wait", help="Wait so many seconds for the owner's answer.")
    ] = 0.0,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds of silence allowed.")] = 30.0,
    within: Within = None,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="Give up what was paid and not answered; pay once more."),
    ] = False,
    deposit: Annotated[
        str | None,
        typer.Option("--deposit", help="Hold this with a seller that is paid by vouchers alone."),
    ] = None,
    end: Annotated[
        bool, typer.Option("--end", help="End the session with that seller after this answer.")
    ] = False,
    cacert: CaCert = None,
    purse: PurseOption = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Ask for a URL, and pay for it if it costs something, up to a limit.

    The body goes to stdout, what was paid to stderr. After a crash or a lost answer, the same
    command again sends the same payment and never pays twice.

    What a seller may charge less for is told on stderr before anything is signed, with the most
    that it costs. With --deposit so much is held with a seller that sells for vouchers of a
    session; the next command goes on with it.

    With --json what was paid is one JSON line on stderr. The exit code says what happened: see
    farthing explain exit-codes.

    Example: farthing pay https://shop.example/weather --max "0.05 USD"
    """

    async def run() -> Answer:
        request = read_request(url, method, header or [], data or [], data_binary)
        async with Client(
            open_purse(purse or default_path()),
            cap=largest,
            payees=payee,
            prefer=prefer,
            patience=Patience(owner_seconds=wait),
            plain_http=plain_http,
            follow_redirects=location,
            timeout=timeout,
            verify=_trust(cacert),
            deposit=deposit,
        ) as client:
            more = {AT_MOST: _tell_at_most} | ({ANEW: _tell_given_up} if anew else {})
            async with _ended_after(within):
                response = await _fetch(client, request, output, include=include, extensions=more)
                if end:
                    await _end(client, response)
        return Answer(None, code=_exit_of(response, fail=fail))

    return _finished(run())


def enrol(
    hub_url: Annotated[str, typer.Argument(help="Where the hub is: https://hub.example")],
    code: Annotated[
        str, typer.Argument(help="The one-time code that the owner was given; - reads it.")
    ] = "-",
    *,
    purse: PurseOption = None,
    name: Annotated[str, typer.Option("--name", help="What the purse calls itself.")] = "",
    largest: Annotated[
        str, typer.Option("--max", help='The largest payment it signs: "0.05 USD".')
    ] = "",
    algorithm: Annotated[
        str, typer.Option("--algorithm", help=f"{keys.ED25519} or {keys.P256}.")
    ] = keys.ED25519,
    hub: Annotated[str, typer.Option("--hub", help="Refuse a hub with another id.")] = "",
    within: Within = None,
    cacert: CaCert = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Enrol this machine as a device of a hub, with a one-time code.

    Without the code, or with -, it is read from stdin or asked for: as an argument others on this
    machine could read it, and be faster.

    Example: farthing enrol https://hub.example < code
    """
    told = _code() if code == "-" else code

    async def run() -> Answer:
        async with _ended_after(within, "the same command goes on with the same key"):
            made = await enrol_device(
                purse or default_path(),
                without_userinfo(hub_url),
                told,
                algorithm=algorithm,
                name=name,
                largest=largest,
                hub=hub,
                plain_http=plain_http,
                verify=_trust(cacert),
            )
        shown = {"device": made.device, "hub": made.hub, "purse": str(made.path)}
        return Answer(shown, lambda _: [f"{made.device} of the hub {made.hub} · {made.path}"])

    return _finished(run())


def _code() -> str:
    if can_ask():
        return ask_secret("One-time code: ", "give it on stdin").decode()
    return one_line()


def rotate_key(
    purse: PurseOption = None,
    cacert: CaCert = None,
    plain_http: PlainHttp = False,
) -> Answer:
    """Give this device a new key, signed by the one it has.

    Example: farthing rotate-key
    """

    async def run() -> Answer:
        made = await rotate(purse or default_path(), plain_http=plain_http, verify=_trust(cacert))
        told = {"device": made.device, "public_key": made.signer.public}
        return Answer(told, lambda _: [f"{made.device} · {made.signer.public}"])

    return _finished(run())


def _finished(work: Coroutine[Any, Any, Answer]) -> Answer:
    try:
        return asyncio.run(work)
    except (AlreadyPaid, AnswerLost) as fault:
        if fault.paid is not None:
            _tell(fault.paid, fault.status)
        raise
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        raise network_fault(fault) from None


async def _fetch(
    client: Client,
    request: PayRequest,
    output: Path | None,
    *,
    include: bool,
    extensions: dict[str, Any],
) -> httpx.Response:
    # Opened before anything is paid: an answer that cannot be kept is not worth its price.
    with _opened(output) as out:
        async with client.stream(
            request.method,
            request.url,
            headers=request.headers,
            content=request.body,
            extensions=extensions,
        ) as response:
            made = paid(response) or unproven(response) or promised(response)
            if made is not None:
                _tell(made, response.status_code)
            if output is not None:
                _empty(out)
            await _write(out, response, include=include)
    return response


def _empty(out: BinaryIO) -> None:
    if stat.S_ISREG(os.fstat(out.fileno()).st_mode):  # A device has nothing to cut off.
        out.truncate(0)


@contextmanager
def _opened(output: Path | None) -> Generator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
        return
    try:
        file = output.open("ab")
    except OSError as fault:
        raise Malformed("cannot-write", f"{output}: {fault.strerror}") from None
    with file:
        yield file


async def _write(out: BinaryIO, response: httpx.Response, *, include: bool) -> None:
    if include:
        lines = [f"{response.http_version} {response.status_code} {response.reason_phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers.multi_items()]
        out.write("\r\n".join([*lines, "", ""]).encode())
    chunks: AsyncIterator[bytes] = response.aiter_bytes()
    async for chunk in chunks:
        out.write(chunk)
    out.flush()


def _tell(made: Paid | Unproven | Promised, status: int) -> None:
    if manners.get().as_json:
        what = type(made).__name__.lower()
        say(json.dumps({what: made.members(), "status": status}))
        return
    say(f"farthing: {made}" if isinstance(made, Unproven) else str(made))


def _tell_at_most(most: AtMost) -> None:
    say(json.dumps({"at_most": most.members()}) if manners.get().as_json else str(most))


async def _end(client: Client, response: httpx.Response) -> None:
    """End the session of an answer, and say whether it is ended."""
    made = promised(response)
    if made is None:
        return
    ended = await client.end_sessions(made.session)
    if manners.get().as_json:
        say(json.dumps({"ended": ended}))
    elif ended:
        say(f"ended {made.session}: what is not charged is free once the seller has closed it")
    else:
        say(f"farthing: {made.session} goes on: the hub could not be asked")


@asynccontextmanager
async def _ended_after(
    seconds: float | None, again: str = "the same command goes on with what was signed"
) -> AsyncGenerator[None]:
    """End what takes too long, however much keeps coming; what was signed or made is on disk.

    Raises: OutcomeUnknown `out-of-time`.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        detail = f"there was no whole answer within {seconds:g} seconds"
        raise OutcomeUnknown("out-of-time", f"{detail}; {again}") from None


def _tell_given_up(one: GivenUp) -> None:
    if manners.get().as_json:
        say(json.dumps({"given_up": one.members()}))
        return
    say(f"farthing: {one}")


def _exit_of(response: httpx.Response, *, fail: bool) -> Exit:
    if response.status_code == 402:
        headers = response.headers.multi_items()
        by_voucher = any(ask.by == "request" for ask in batch_asks(headers))
        if by_voucher or session_asks(headers):
            detail = "this is paid from a deposit, by a session that goes on over many requests"
            raise WillNotPay("sold-by-sessions", detail)
        raise WillNotPay("not-payable", "this purse cannot pay in any way that the seller asks")
    if unproven(response) is not None:
        return Exit.OUTCOME_UNKNOWN
    return Exit.HTTP_ERROR if fail and response.is_error else Exit.OK


def _trust(cacert: Path | None) -> ssl.SSLContext | bool:
    if cacert is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(cacert))
    except OSError as fault:
        raise Malformed("malformed-option", f"--cacert {cacert}: {fault.strerror}") from None
