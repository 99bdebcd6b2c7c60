"""A new device: what it may spend in one sentence with fields, and a code to enrol it with.

It takes three steps: the sentence, the same sentence read back, and, confirmed with a passkey, the
code as text and as a QR code. A device can spend, so a signed-in browser alone makes none.
"""

import hashlib
import io
from dataclasses import dataclass

from farthing.codec import canonical_json, to_base64url
from farthing.core.accounts import AccountRecord
from farthing.core.devices import Invitation, InviteDevice, code_hash
from farthing.core.mandates import Budget, Mandate, SetMandate
from farthing.core.periods import ZoneChange
from farthing.errors import Malformed, Missing, Unauthenticated
from farthing.money import UNITS_MAX
from farthing.store.lines import two_above_at
from farthing.web.api.devices import new_code
from farthing.web.api.endpoint import Reply
from farthing.web.pages.approvals import terms_act
from farthing.web.pages.forms import proof_of
from farthing.web.pages.mandate_words import sentences
from farthing.web.pages.place import one_line, people_url
from farthing.web.pages.typed import LINE_MAX, units_typed
from farthing.web.pages.visit import Visit
from farthing.web.pages.wallet import book_of

PERIODS = ("day", "week", "month")
CODE_SECONDS = 600
_FIELDS = ("account", "name", "budget", "per", "largest", "ask_above")
_QR_PIXELS = 5


@dataclass(frozen=True, slots=True)
class Terms:
    """What a new device is to be. Shape: `told` are the fields as they were typed."""

    account: AccountRecord
    name: str
    mandate: Mandate
    told: dict[str, str]

    def digest(self) -> str:
        """Hash the terms: what is confirmed is these, and no others."""
        return to_base64url(hashlib.sha256(canonical_json(self.told)).digest())

    def act(self) -> dict[str, str]:
        """Give what a passkey confirms."""
        return terms_act("enrol-device", self.digest())


async def new_device_page(visit: Visit) -> Reply:
    """Show the sentence with its fields."""
    accounts = await book_of(visit).open_accounts()
    return visit.page("new_device.html", accounts=accounts, periods=PERIODS)


async def check_terms(visit: Visit, form: dict[str, str]) -> Reply:
    """Read the sentence back, before anything is made.

    Raises: Malformed; Missing.
    """
    terms = await _read(visit, form)
    told = sentences(visit.renderer, terms.mandate)
    return visit.page("check_device.html", terms=terms, sentences=told)


async def make_device(visit: Visit, form: dict[str, str]) -> Reply:
    """Make the mandate and a code for the device, and show the code, once.

    Raises: Unauthenticated `passkey-needed`; Malformed; Missing.
    """
    terms, proof = await _read(visit, form), proof_of(form)
    if proof is None:
        raise Unauthenticated("passkey-needed", "confirm this with your passkey")
    ctx, owner = visit.call.desk.ctx, visit.me.person.owner
    unit = SetMandate(terms.mandate, owner, ctx.fresh(), creates=True)
    people = visit.call.desk.people
    await ctx.books.commit_one(
        await people.confirmed(visit.site, visit.me, terms.act(), proof, unit), owner
    )
    code = new_code(ctx.random_bits)
    name = ctx.fresh_name("inv")
    account, line = terms.account.id, terms.mandate.two_above
    invitation = Invitation(code_hash(code), name, "", account, terms.mandate.id, terms.name, 0, "")
    await ctx.books.commit_one(InviteDevice(invitation, owner, CODE_SECONDS, line), owner)
    url = people_url(visit.call.desk.config)
    return visit.page("code.html", code=code, url=url, name=terms.name, picture=_qr(url, code))


def _qr(url: str, code: str) -> str:
    """Draw what a device with a camera reads: the hub, and the code behind `#`."""
    import segno  # noqa: PLC0415 - for this page alone
    from markupsafe import Markup  # noqa: PLC0415

    out = io.BytesIO()
    made = segno.make(f"{url}/enrol#{code}", error="m", micro=False)
    made.save(out, kind="svg", scale=_QR_PIXELS, border=4, xmldecl=False, svgns=False, nl=False,
              light="#fff", dark="#000", svgclass="qr", lineclass=None)  # fmt: skip
    return Markup(out.getvalue().decode())  # noqa: S704 - drawn here, of letters and digits


async def _read(visit: Visit, form: dict[str, str]) -> Terms:
    told = {name: one_line(form.get(name, ""), LINE_MAX) for name in _FIELDS}
    accounts = await book_of(visit).open_accounts()
    account = next((one for one in accounts if one.id == told["account"]), None)
    if account is None:
        raise Missing("no-such-account", "there is no such account here")
    if not told["name"]:
        raise Malformed("malformed-form", "give the device a name")
    if told["per"] not in PERIODS:
        raise Malformed("malformed-form", "a budget is for a day, a week or a month")
    line = await visit.call.desk.ctx.database.read(lambda tx: two_above_at(tx, account.id))
    told["two_above"] = "" if line is None else str(line)
    return Terms(account, told["name"], _mandate(visit, told, account, line), told)


def _mandate(
    visit: Visit, told: dict[str, str], account: AccountRecord, line: int | None
) -> Mandate:
    """Make the mandate. A further device of an account is under the line that others have."""
    budget, largest, ask_above = (
        units_typed(visit, told[name], account.asset) for name in ("budget", "largest", "ask_above")
    )
    budgets = [] if budget is None else [Budget(name=told["per"], per=told["per"], limit=budget)]
    return Mandate(
        id=visit.call.desk.ctx.fresh_name("man"),
        owner=visit.me.person.owner,
        asset=account.asset,
        name=told["name"],
        largest=UNITS_MAX if largest is None else largest,
        budgets=budgets,
        zones=[ZoneChange(0, visit.me.owner.time_zone)],
        ask_above=ask_above,
        two_above=line,
    )
