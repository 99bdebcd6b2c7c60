"""The wallet: what one has, what came and went, which devices spend, and what they ask for."""

from typing import Any

from farthing.core.accounts import OpenAccount, SetAccountState
from farthing.core.answers import AnswerAsk
from farthing.core.devices import RevokeDevice
from farthing.core.payments import Payment, State
from farthing.core.said import By, Means
from farthing.errors import Conflict, Malformed, Missing, Unauthenticated
from farthing.web.api.endpoint import Reply
from farthing.web.pages import people, refunding
from farthing.web.pages.agreeing import waiting
from farthing.web.pages.answered import answered
from farthing.web.pages.approvals import (
    BY_TERMS,
    Act,
    approval_of,
    needs_passkey,
    terms_act,
    terms_of,
)
from farthing.web.pages.book import Book, Machine, seconds_between
from farthing.web.pages.forms import proof_of, read_object, text_in
from farthing.web.pages.lines import Line
from farthing.web.pages.mandate_words import sentences
from farthing.web.pages.visit import Visit, need_guardian


def book_of(visit: Visit) -> Book:
    """Give the books as the visitor's owner sees them."""
    return Book(visit.call.desk.ctx, visit.me.person.owner)


async def wallet_page(visit: Visit) -> Reply:
    """Show the wallet."""
    book = book_of(visit)
    since = await book.newest()  # First: what happens meanwhile is told, if twice.
    assets = list(visit.call.desk.ctx.assets)
    more = {"wallet": await book.wallet(), "since": since, "assets": assets}
    return visit.page("wallet.html", **more, **asking(visit))


async def open_account(visit: Visit, form: dict[str, str]) -> Reply:
    """Open a first account, or one to sell into where devices pay from all there are.

    Raises: Missing `unknown-asset`.
    """
    ctx, owner, book = visit.call.desk.ctx, visit.me.person.owner, book_of(visit)
    sells = form.get("for") == "sales"
    if not (await book.tills() if sells else await book.balances()):
        name = "sales" if sells else "wallet"
        unit = OpenAccount(ctx.fresh_name("acc"), owner, form.get("asset", ""), name)
        await ctx.books.commit_one(unit, owner)
    return visit.go("/shop/price" if sells else "/wallet")


def asking(visit: Visit) -> dict[str, Any]:
    """Give what the sheet of a payment that asks is written with."""
    now_ns = visit.call.desk.ctx.clock()

    def guarded(line: Line) -> bool:
        return _needs_passkey(visit, line)

    def left(payment: Payment) -> int:
        return seconds_between(now_ns, payment.ask_ends_ns)

    def asked_for(payment: Payment) -> int:
        return max(1, seconds_between(payment.created_ns, payment.ask_ends_ns))

    return {"terms": terms_of, "guarded": guarded, "left": left, "asked_for": asked_for}


def _needs_passkey(visit: Visit, line: Line) -> bool:
    """Tell whether an approval needs the passkey. Of two, whom an organisation let in needs theirs:
    it may have made a second person of the first one.
    """
    second = line.two and bool(visit.me.session.identity)
    return second or needs_passkey(visit.call.desk.config, line.payment)


async def devices_page(visit: Visit) -> Reply:
    """Show the devices, each with what it may spend."""
    machines = await book_of(visit).machines()
    told = [(one, sentences(visit.renderer, one.mandate)) for one in machines]
    return visit.page("devices.html", machines=told)


async def device_page(visit: Visit) -> Reply:
    """Show one device: what it may, what it did, and how to stop it."""
    machine = await _machine(visit)
    lines = await book_of(visit).lines_of(machine.device.id)
    told = sentences(visit.renderer, machine.mandate)
    change = await waiting(visit, machine)
    return visit.page("device.html", machine=machine, lines=lines, sentences=told, **change)


async def payment_page(visit: Visit) -> Reply:
    """Show a payment: the sheet where it asks, otherwise its receipt."""
    line = await _line(visit)
    payment = line.payment
    if payment.state is State.AWAITING and payment.owner == visit.me.person.owner:
        said = await answered(visit, payment)
        return visit.page("ask.html", line=line, answered=said, **asking(visit))
    receipt = await visit.call.desk.payments.receipt(payment)
    root = visit.call.desk.ctx.identity.root_public
    said = await answered(visit, payment)
    return visit.page("receipt.html", line=line, receipt=receipt, root=root, answered=said)


async def answer(visit: Visit, form: dict[str, str]) -> Reply:
    """Approve or deny exactly the payment that the form was shown for.

    Raises: Conflict `approval-changed`; Unauthenticated `passkey-needed`.
    """
    line, said = await _line(visit), form.get("answer", "")
    payment, owner = line.payment, visit.me.person.owner
    if payment.owner != owner:
        raise Missing("no-such-payment", "there is no such payment here")
    if said not in ("approve", "deny"):
        raise Malformed("malformed-form", "answer is approve or deny")
    if form.get("terms") != terms_of(payment):
        raise Conflict("approval-changed", "this is not what you were asked; look at it again")
    if said == "approve":
        need_guardian(visit)
    again = payment.state is not State.AWAITING  # Said before: nothing is left to be confirmed.
    proven = said == "approve" and not again and _needs_passkey(visit, line)
    by = By(Means.PASSKEY if proven else Means.SESSION, visit.me.person.id)
    unit: Any = AnswerAsk(payment.id, owner, "approve" if said == "approve" else "deny", by)
    if proven:
        unit = await _confirmed(visit, form, approval_of(payment), unit)
    await visit.call.desk.ctx.books.commit_one(unit, owner)
    return visit.go(f"/wallet/payments/{payment.id}")


async def _confirmed(visit: Visit, form: dict[str, str], act: Act, unit: Any) -> Any:
    proof = proof_of(form)
    if proof is None:
        raise Unauthenticated("passkey-needed", "confirm this with your passkey")
    return await visit.call.desk.people.confirmed(visit.site, visit.me, act, proof, unit)


async def freeze(visit: Visit, _form: dict[str, str]) -> Reply:
    """Freeze what a device pays from, at once: one tap, for a stop must never be slow."""
    return await _turn(visit, "frozen")


async def unfreeze(visit: Visit, _form: dict[str, str]) -> Reply:
    """Let a device pay again."""
    return await _turn(visit, "open")


async def _turn(visit: Visit, to: str) -> Reply:
    machine, ctx = await _machine(visit), visit.call.desk.ctx
    owner = visit.me.person.owner
    await ctx.books.commit_one(SetAccountState(machine.account.id, owner, to, ctx.fresh()), owner)
    return visit.go(f"/wallet/devices/{machine.device.id}")


async def revoke(visit: Visit, form: dict[str, str]) -> Reply:
    """Revoke a device for good, confirmed with a passkey.

    Raises: Unauthenticated `passkey-needed`.
    """
    machine, owner = await _machine(visit), visit.me.person.owner
    unit: Any = RevokeDevice(machine.device.id, owner)
    if not machine.device.revoked_ns:
        unit = await _confirmed(visit, form, _revoking(machine), unit)
    await visit.call.desk.ctx.books.commit_one(unit, owner)
    return visit.go(f"/wallet/devices/{machine.device.id}")


def _revoking(machine: Machine) -> dict[str, str]:
    return {"act": "revoke-device", "device": machine.device.id}


async def begin_proof(visit: Visit) -> Reply:
    """Give a challenge for one act. What exactly is confirmed is read here, not from the browser.

    Raises: Malformed; Missing.
    """
    body = read_object(visit.call)
    act = await _act(visit, text_in(body, "act"), text_in(body, "subject"))
    return visit.told(await visit.call.desk.people.begin_proof(visit.site, visit.me, act))


async def _act(visit: Visit, act: str, subject: str) -> Act:
    if act == "approve":
        line = await book_of(visit).line(subject)
        if line is None or line.payment.owner != visit.me.person.owner:
            raise Missing("no-such-payment", "there is no such payment here")
        return approval_of(line.payment)
    if act == "revoke-device":
        return _revoking(await _found(visit, subject))
    if act in BY_TERMS:
        return terms_act(act, subject)
    if act == "remove-passkey":
        return {"act": act, "passkey": subject}
    if act == "refund":
        return await refunding.act_of(visit, subject)
    if act in ("link-person", "remove-person"):
        return await people.act_of(visit, act, subject)
    if act == "unlink-organisation":
        return {"act": act, "identity": subject}
    if act in ("link-organisation", "recovery-codes", "add-passkey", "make-key"):
        return {"act": act}
    raise Malformed("malformed-form", "there is no such act to confirm")


async def _line(visit: Visit) -> Line:
    line = await book_of(visit).line(visit.call.path["payment"])
    if line is None:
        raise Missing("no-such-payment", "there is no such payment here")
    return line


async def _machine(visit: Visit) -> Machine:
    return await _found(visit, visit.call.path["device"])


async def _found(visit: Visit, device: str) -> Machine:
    machine = await book_of(visit).machine(device)
    if machine is None:
        raise Missing("no-such-device", "there is no such device here")
    return machine
