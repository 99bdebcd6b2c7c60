"""What a person is told, by which ways, and when not: changed here, address by address."""

from collections.abc import Mapping

import msgspec

from farthing.codec import from_base64url
from farthing.core.listeners import Listener
from farthing.core.notices import LANGUAGES, Class, Wish, Wishes
from farthing.core.pushes import session_name
from farthing.errors import Malformed, Missing
from farthing.notifiers.signed import written_secret
from farthing.web.api.endpoint import Reply
from farthing.web.pages.place import one_line
from farthing.web.pages.typed import LINE_MAX
from farthing.web.pages.visit import Visit

HERE = "/account/notices"
DIGESTS = (0, 3600, 86_400)
_PLACE_MAX = 254
_PUSH = "push"


async def notices_page(visit: Visit) -> Reply:
    """Show what the visitor is told, and where."""
    return await _page(visit)


async def _page(visit: Visit, secret: str = "") -> Reply:
    notices, me = visit.call.desk.notices, visit.me.person
    listener, addresses = await notices.of(me.id, me.owner)
    start, end = _quiet(listener.wishes)
    return visit.page(
        "notices.html",
        wishes=listener.wishes,
        classes=list(Class),
        ways=list(notices.ways),
        addresses=addresses,
        quiet_from=start,
        quiet_to=end,
        digests=DIGESTS,
        spoken=LANGUAGES,
        fresh=not listener.addresses,
        secret=secret,
        pushed=session_name(visit.me.session.hash) in {one.session for one in addresses},
    )


def _quiet(wishes: Wishes) -> tuple[str, str]:
    start, _, end = (wishes.quiet[0] if wishes.quiet else "-").partition("-")
    return start, end


async def set_wishes(visit: Visit, form: dict[str, str]) -> Reply:
    """Change what the visitor is told.

    Raises: Malformed `security-unheard`, `unknown-time-zone`, `malformed-hours`.
    """
    notices, me = visit.call.desk.notices, visit.me.person
    listener, _ = await notices.of(me.id, me.owner)
    unit = notices.wishing(me.id, me.owner, _wished(listener, form, list(notices.ways)))
    await visit.call.desk.ctx.books.commit_one(unit, me.owner)
    return visit.go(HERE)


def _wished(listener: Listener, form: Mapping[str, str], ways: list[str]) -> Wishes:
    before = listener.wishes
    start, end = (one_line(form.get(f"quiet_{side}", ""), LINE_MAX) for side in ("from", "to"))
    if bool(start) != bool(end):
        raise Malformed("malformed-hours", "give both hours, or none")
    return msgspec.structs.replace(
        before,
        classes={about: _wish(before.classes.get(about), form, about, ways) for about in Class},
        quiet=[f"{start}-{end}"] if start else [],
        zone=one_line(form.get("zone", ""), LINE_MAX),
        language=form.get("language", ""),
        shows_amounts="amounts" in form,
    )


def _wish(before: Wish | None, form: Mapping[str, str], about: Class, ways: list[str]) -> Wish:
    """Read one class. Shape: ways that this hub does not offer now are left as they were."""
    kept = [] if before is None else [way for way in before.ways if way not in ways]
    marked = [way for way in ways if f"{about.value}.{way}" in form]
    digest = form.get(f"{about.value}.digest", "0")
    if digest not in map(str, DIGESTS):
        raise Malformed("malformed-form", "gather for an hour, for a day, or not at all")
    return Wish(marked + kept, int(digest))


async def add_address(visit: Visit, form: dict[str, str]) -> Reply:
    """Take down a mailbox, a number or a URL, and send a code there.

    Shape:  what signs the messages to a URL is shown in this answer, and in no other.
    Raises: Malformed `malformed-address`; Conflict `too-many-addresses`.
    """
    way = form.get("way", "")
    if way == _PUSH:
        raise Malformed("malformed-form", "a browser adds itself")
    me, place = visit.me.person, one_line(form.get("place", ""), _PLACE_MAX)
    made = await visit.call.desk.notices.add(me.id, me.owner, way, place, "")
    if made.way == "webhook":
        return await _page(visit, written_secret(from_base64url(made.keys)))
    return visit.go(HERE)


async def prove_address(visit: Visit, form: dict[str, str]) -> Reply:
    """Take the code that was sent to an address. Raises: Forbidden `bad-address-code`; Missing."""
    code = one_line(form.get("code", ""), LINE_MAX)
    address = await _own(visit, form)
    await visit.call.desk.notices.prove(address, visit.me.person.owner, code)
    return visit.go(HERE)


async def send_code(visit: Visit, form: dict[str, str]) -> Reply:
    """Send another code to an address. Raises: Missing."""
    address = await _own(visit, form)
    await visit.call.desk.notices.send_code(address, visit.me.person.owner)
    return visit.go(HERE)


async def remove_address(visit: Visit, form: dict[str, str]) -> Reply:
    """Tell nothing at an address any more. Raises: Missing."""
    address = await _own(visit, form)
    await visit.call.desk.notices.remove(address, visit.me.person.owner)
    return visit.go(HERE)


async def _own(visit: Visit, form: Mapping[str, str]) -> str:
    """Give the address of a form where it is the visitor's own, and nobody's of the same owner.

    Raises: Missing.
    """
    me = visit.me.person
    _, addresses = await visit.call.desk.notices.of(me.id, me.owner)
    named = form.get("address", "")
    found = next((one.id for one in addresses if one.id == named), None)
    if found is None:
        raise Missing("no-such-address", "there is no such address here")
    return found
