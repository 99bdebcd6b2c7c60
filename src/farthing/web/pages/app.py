"""The pages as one table of endpoints, which the router of the API serves as it does its own."""

from collections.abc import Mapping

from farthing.errors import Missing
from farthing.services.desk import Desk
from farthing.sharing import Room
from farthing.web.api.endpoint import Call, Endpoint, Handler, Reply
from farthing.web.api.router import Router
from farthing.web.pages import (
    account,
    agreeing,
    cases,
    console,
    enrolling,
    limits,
    live,
    metered,
    money,
    noticing,
    organisation,
    people,
    pricing,
    pushing,
    refunding,
    risk,
    shop,
    shop_keys,
    sign_in,
    statements,
    stopping,
    wallet,
)
from farthing.web.pages.faults import Faults
from farthing.web.pages.operating import by_operator, for_operators
from farthing.web.pages.render import GUARDS, HTML, STATIC, guarded, squeezed, static, version
from farthing.web.pages.visit import Visit, anybody, by_form, by_guardian, by_script, signed_in

_FOR_GOOD = [(b"cache-control", b"public, max-age=31536000, immutable")]
_GZIP = (b"content-encoding", b"gzip")
_JSON = "application/json"


async def _static(call: Call) -> Reply:
    """Give a file that pages are made with."""
    name = call.path["file"]
    if call.path["version"] != version() or name not in STATIC:
        raise Missing("no-such-path", "see /openapi.json for what this hub serves")
    fields = [*GUARDS, *_FOR_GOOD, (b"vary", b"accept-encoding")]
    if "gzip" not in call.headers.get("accept-encoding", ""):
        return Reply(static(name), headers=fields, media=STATIC[name])
    return Reply(squeezed(name), headers=[*fields, _GZIP], media=STATIC[name])


async def _worker(visit: Visit) -> Reply:
    """Give the service worker. Shape: at the root, as it serves the pages below where it is."""
    body = static("sw.js").replace(b"{version}", version().encode())
    fields = [*guarded(secure=visit.secure), (b"cache-control", b"no-cache")]
    return Reply(body, headers=fields, media=STATIC["sw.js"])


async def _offline(visit: Visit) -> Reply:
    """Show what a browser keeps for when there is no line: nothing of anybody's is in it."""
    visit.visitor = None
    return visit.page("offline.html")


def _show(
    path: str, name: str, handler: Handler, query: Mapping[str, str] | None = None
) -> Endpoint:
    return Endpoint("GET", path, name, name, handler, scopes=None, query=query or {}, media=HTML)


def _with(path: str, name: str, handler: Handler, query: dict[str, str]) -> Endpoint:
    return Endpoint("GET", path, name, name, handler, scopes=None, query=query, media=HTML)


def _came(path: str, name: str, handler: Handler) -> Endpoint:
    """Give where a browser comes back to. Source: RFC 6749, 4.1.2: what is unknown is ignored."""
    return _with(path, name, handler, {"*": "Whatever the organisation writes there."})


def _stream(path: str, name: str, handler: Handler) -> Endpoint:
    query, media = {"after": "Go on after this event."}, "text/event-stream"
    return Endpoint(
        "GET", path, name, name, handler, scopes=None, query=query, media=media, streams=True
    )


def _told(
    path: str, name: str, handler: Handler, query: Mapping[str, str] | None = None
) -> Endpoint:
    return Endpoint("GET", path, name, name, handler, scopes=None, query=query or {}, media=_JSON)


def _post(path: str, name: str, handler: Handler, media: str = HTML) -> Endpoint:
    return Endpoint("POST", path, name, name, handler, scopes=None, media=media)


PAGES = [
    _show("/", "page_front", anybody(sign_in.front)),
    _with("/sign-in", "page_sign_in", anybody(sign_in.sign_in_page), {"out": "Signed out."}),
    _show("/join", "page_join", anybody(sign_in.join_page)),
    _post("/sign-in/begin", "page_sign_in_begin", anybody(sign_in.begin_sign_in), _JSON),
    _post("/sign-in/finish", "page_sign_in_finish", anybody(sign_in.finish_sign_in), _JSON),
    _post("/join/begin", "page_join_begin", anybody(sign_in.begin_joining), _JSON),
    _post("/join/finish", "page_join_finish", anybody(sign_in.finish_joining), _JSON),
    _show("/sign-in/organisation", "page_leave", anybody(organisation.leave)),
    _came("/sign-in/organisation/back", "page_come_back", anybody(organisation.come_back)),
    _show("/sign-in/organisation/out", "page_leave_for_good", anybody(organisation.leave_for_good)),
    _post("/sign-in/organisation/told-out", "page_told_out", organisation.told_out),
    _post("/account/organisation/tie", "page_tie", by_form(organisation.begin_tying)),
    _post("/account/organisation/untie", "page_untie", by_form(organisation.untie)),
    _post("/sign-out", "page_sign_out", by_form(sign_in.sign_out)),
    _show("/wallet", "page_wallet", signed_in(wallet.wallet_page)),
    _post("/wallet/accounts/open", "page_open_account", by_guardian(wallet.open_account)),
    _stream("/wallet/live", "page_live", signed_in(live.live)),
    _show("/wallet/money", "page_money", signed_in(money.money_page)),
    _post("/wallet/money/in", "page_bring_in", by_guardian(money.bring_in)),
    _post("/wallet/money/out/check", "page_check_payout", by_form(money.check_payout)),
    _post("/wallet/money/out", "page_pay_out", by_guardian(money.pay_out)),
    _show("/wallet/devices", "page_devices", signed_in(wallet.devices_page)),
    _show("/wallet/devices/new", "page_new_device", signed_in(enrolling.new_device_page)),
    _post("/wallet/devices/new/check", "page_check_device", by_form(enrolling.check_terms)),
    _post("/wallet/devices/new/make", "page_make_device", by_guardian(enrolling.make_device)),
    _show("/wallet/devices/{device}", "page_device", signed_in(wallet.device_page)),
    _show("/wallet/devices/{device}/limits", "page_limits", signed_in(limits.limits_page)),
    _post("/wallet/devices/{device}/limits/preview", "page_preview", by_form(limits.preview)),
    _post(
        "/wallet/devices/{device}/limits/check", "page_check_limits", by_form(limits.check_limits)
    ),
    _post("/wallet/devices/{device}/limits/set", "page_set_limits", by_form(limits.set_limits)),
    _post("/wallet/devices/{device}/limits/agree", "page_agree", by_guardian(agreeing.agree)),
    _post("/wallet/devices/{device}/limits/decline", "page_decline", by_form(agreeing.decline)),
    _post("/wallet/devices/{device}/freeze", "page_freeze", by_form(wallet.freeze)),
    _post("/wallet/devices/{device}/unfreeze", "page_unfreeze", by_guardian(wallet.unfreeze)),
    _post("/wallet/devices/{device}/revoke", "page_revoke", by_guardian(wallet.revoke)),
    _show("/wallet/payments/{payment}", "page_payment", signed_in(wallet.payment_page)),
    _post("/wallet/payments/{payment}/answer", "page_answer", by_form(wallet.answer)),
    _post("/proofs", "page_proof", by_script(wallet.begin_proof), _JSON),
    _show("/shop", "page_shop", signed_in(shop.shop_page)),
    _show(
        "/shop/statements", "page_statement", signed_in(statements.statement_page), statements.QUERY
    ),
    _told(
        "/shop/statements.csv",
        "page_statement_file",
        signed_in(statements.statement_file),
        statements.QUERY,
    ),
    _show("/shop/usage", "page_usage", signed_in(metered.usage_page)),
    _show("/shop/price", "page_price", signed_in(pricing.price_page), pricing.QUERY),
    _show("/shop/keys", "page_keys", signed_in(shop_keys.keys_page)),
    _post("/shop/keys/make", "page_make_key", by_guardian(shop_keys.make_key)),
    _post("/shop/keys/revoke", "page_revoke_key", by_guardian(shop_keys.revoke_key)),
    _post(
        "/wallet/payments/{payment}/refund/check",
        "page_check_refund",
        by_guardian(refunding.check_refund),
    ),
    _post("/wallet/payments/{payment}/refund", "page_refund", by_guardian(refunding.refund)),
    _show("/console", "page_console", for_operators(console.console_page)),
    _show(
        "/console/motion", "page_motion", for_operators(console.motion_page), console.MOTION_QUERY
    ),
    _show("/console/stuck", "page_stuck", for_operators(console.stuck_page)),
    _show("/console/log", "page_log", for_operators(console.log_page), console.LOG_QUERY),
    _show("/console/cases", "page_cases", for_operators(cases.cases_page), cases.QUERY),
    _show("/console/cases/{case}", "page_case", for_operators(cases.case_page)),
    _post("/console/cases/{case}/check", "page_check_case", by_operator(cases.check_verdict)),
    _post("/console/cases/{case}/decide", "page_decide_case", by_operator(cases.decide)),
    _show("/console/risk", "page_risk", for_operators(risk.risk_page)),
    _post("/console/risk/try", "page_try_rules", by_operator(risk.try_rules)),
    _show("/console/risk/tried", "page_tried", for_operators(risk.tried_part)),
    _show("/console/people", "page_people", for_operators(people.people_page), people.QUERY),
    _post("/console/people/check", "page_check_person", by_operator(people.check_invitation)),
    _post("/console/people/invite", "page_invite", by_operator(people.invite)),
    _post("/console/people/link", "page_link_person", by_operator(people.link_again)),
    _post("/console/people/remove", "page_remove_person", by_operator(people.remove)),
    _show("/account", "page_account", signed_in(account.account_page)),
    _show("/account/notices", "page_notices", signed_in(noticing.notices_page)),
    _post("/account/notices/set", "page_set_wishes", by_form(noticing.set_wishes)),
    _post("/account/notices/add", "page_add_address", by_form(noticing.add_address)),
    _post("/account/notices/prove", "page_prove_address", by_form(noticing.prove_address)),
    _post("/account/notices/code", "page_send_code", by_form(noticing.send_code)),
    _post("/account/notices/remove", "page_remove_address", by_form(noticing.remove_address)),
    _post("/account/sessions/end", "page_end_session", by_form(account.end_session)),
    _post("/account/sessions/end-others", "page_end_others", by_form(account.end_others)),
    _post("/account/recovery-codes", "page_codes", by_form(account.make_codes)),
    _post("/account/passkeys/remove", "page_remove_passkey", by_form(account.remove_passkey)),
    _post("/account/passkeys/begin", "page_begin_passkey", by_script(account.begin_passkey), _JSON),
    _post("/account/passkeys/add", "page_add_passkey", by_script(account.add_passkey), _JSON),
    _show("/offline", "page_offline", anybody(_offline)),
    _show("/sw.js", "page_worker", anybody(_worker)),
    _show("/notices/stop/{ticket}", "page_stop", stopping.stop_page),
    _post("/notices/stop/{ticket}", "page_stopped", stopping.stop),
    _told("/push/key", "page_push_key", signed_in(pushing.push_key)),
    _post("/push/subscribe", "page_subscribe", by_script(pushing.subscribe), _JSON),
    _post("/push/unsubscribe", "page_unsubscribe", by_script(pushing.unsubscribe), _JSON),
    _post("/push/renew", "page_renew", signed_in(pushing.renew), _JSON),
    _post("/push/shown", "page_shown", anybody(pushing.shown), _JSON),
    _show("/a/{ask}", "page_short", anybody(sign_in.short)),
    _post("/push/answer", "page_push_answer", signed_in(pushing.answer), _JSON),
    _show("/static/{version}/{file}", "page_static", _static),
]
"""Everything that people see. It is no part of the API, and `/openapi.json` has none of it."""


def open_pages(desk: Desk, room: Room | None) -> Router:
    """Give what serves the pages."""
    return Router(desk, PAGES, room, Faults(desk.ctx.assets))
