"""Every line that a hub or a proxy writes to its log, and every fact that stands in one.

What happened to money, devices and the like is an event, and its line is named after it: see
`core/events.py`. Here is the rest: how the software does.
"""

from typing import Literal, NamedTuple

Level = Literal["debug", "info", "warning", "error"]


class Line(NamedTuple):
    """One line. Shape: `facts` stand in it besides `timestamp`, `level` and `event`; one after
    which ? stands may be missing.
    """

    level: Level
    told: str
    to_do: str
    facts: tuple[str, ...] = ()


LINES: dict[str, Line] = {
    "hub.started": Line("info", "the hub is about to listen", "", ("hub", "url")),
    "hub.stopped": Line("info", "the hub has finished what it accepted, and ends", ""),
    "hub.worker_lost": Line(
        "warning",
        "one of several workers ended by itself, or was killed; it is started again",
        "Look what ended it: `code` is its exit code, -9 is often the kernel, short of memory",
        ("worker", "code"),
    ),
    "hub.rollback_accepted": Line(
        "warning",
        "the hub goes on with books older than a head it knows, as it was told to",
        "Find out what was lost; the history has it on record",
        ("lost_head", "hint"),
    ),
    "proxy.starting": Line("info", "the proxy is about to listen", "", ("upstream", "url")),
    "proxy.nothing_priced": Line(
        "warning",
        "no offer is in force, so that everything is handed out free until there is one",
        "Check --payee: farthing offers list; or give a price file",
        ("payee", "hint"),
    ),
    "connections.fewer": Line(
        "warning",
        "fewer clients may be connected than `connections_max` says",
        "Raise the limit of open files",
        ("wanted", "places", "hint"),
    ),
    "connections.refused": Line(
        "error",
        "no connection can be accepted for want of open files; told once until it works again",
        "Raise the limit of open files, and see who holds so many connections",
        ("why", "hint"),
    ),
    "books.not_writable": Line(
        "error",
        "a commit could not be written; nothing is told again before it works again",
        "Mend what `why` says of the disk or the database; no restart is needed",
        ("why",),
    ),
    "books.writable": Line("warning", "commits can be written again", ""),
    "books.bringing_forward": Line(
        "warning",
        "the books are brought to the next schema; nothing is served before that is done",
        "Wait: one to three minutes for a million `leaves`. Killed, it begins anew",
        ("schema", "leaves"),
    ),
    "books.coming_forward": Line(
        "warning",
        "how far the books are brought to the next schema, every few seconds",
        "Wait: when `rows` are `rows_in_all`, or both are 0, more of the `steps` follow",
        ("schema", "step", "steps", "rows", "rows_in_all"),
    ),
    "books.waiting_for_others": Line(
        "warning",
        "another hub on the same server brings the books to the next schema, and this one waits",
        "Wait: when `rows` are `rows_in_all`, or both are 0, more of the `steps` follow",
        ("schema", "step", "steps", "rows", "rows_in_all"),
    ),
    "books.taken_up": Line(
        "warning",
        "a commit that was posted, or about to be, when the hub was lost has been ended now",
        "Nothing: who asked for its payments hears when they ask again",
        ("number", "transfers"),
    ),
    "books.writer_lost": Line(
        "warning",
        "the writing process had ended, by itself or killed; another one is started now",
        "Look what ended it: `code` is its exit code, -9 is often the kernel, short of memory",
        ("code",),
    ),
    "risk.rule_failed": Line(
        "error",
        "a rule of risk broke at an order and said nothing; the others judge, and nothing stops",
        "See what `why` says, and try the rule with `farthing risk check` and `backtest`",
        ("rule", "why"),
    ),
    "books.not_counted": Line(
        "error",
        "a commit is durable, but the metrics do not know of it",
        "Report it: a fault of this software",
        ("exception",),
    ),
    "heads.not_noted": Line(
        "error",
        "a signed head could not be written to its second place; payments go on",
        "Mend or free the disk of `[audit] heads_path`",
        ("number?", "why", "hint?"),
    ),
    "clock.behind_books": Line(
        "warning",
        "the clock is behind the books: a commit was made while it was ahead; orders are late",
        "Keep the clock right; see farthing doctor",
        ("seconds", "until", "hint"),
    ),
    "clock.caught_up": Line("warning", "the clock is no longer behind the books", ""),
    "worker.postponed": Line(
        "warning",
        "what is due by time waits, because the books cannot be written now",
        "See what `code` means: farthing explain CODE",
        ("code",),
    ),
    "worker.failed": Line(
        "error",
        "a round of the worker failed; the next one tries again",
        "Report it: a fault of this software",
        ("exception",),
    ),
    "rails.postponed": Line(
        "info",
        "top-ups and payouts wait, because the books cannot be read or written now",
        "See what `code` means: farthing explain CODE",
        ("code",),
    ),
    "rails.failed": Line(
        "error",
        "a round of looking after top-ups and payouts failed; the next one goes on",
        "Report it: a fault of this software",
        ("exception",),
    ),
    "rails.unclear": Line(
        "warning",
        "a rail was not heard; it is asked again under the same reference",
        "See whether the rail is there; no money moves before it has answered",
        ("movement", "why"),
    ),
    "webhooks.postponed": Line(
        "info",
        "webhooks wait, because the books cannot be read or written now; nothing is lost",
        "See what `code` means: farthing explain CODE",
        ("code",),
    ),
    "webhooks.failed": Line(
        "error",
        "a round of sending to webhooks failed; the next one sends what it did not",
        "Report it: a fault of this software",
        ("exception",),
    ),
    "webhooks.turned_off": Line(
        "warning",
        "nothing is sent to a webhook any more: `why` is `gone` (it answered 410) or `failing`",
        "Its owner is told by an event, and may turn it on again",
        ("webhook", "why"),
    ),
    "notices.postponed": Line(
        "info",
        "people could not be told just now, as the books were busy or away; it goes on by itself",
        "See what `code` means: farthing explain CODE",
        ("code",),
    ),
    "notices.failed": Line(
        "error",
        "telling people met a fault of this software; it goes on with the next",
        "Report it: a fault of this software",
        ("exception",),
    ),
    "notices.code_not_sent": Line(
        "info",
        "a code that proves an address could not be sent there; its person asks for another",
        "See what `why` says of the server that it was handed to",
        ("way", "why"),
    ),
    "notices.gave_up": Line(
        "info",
        "a person could not be told something in all its tries",
        "Look at the tries: farthing notices tries; a server of yours may be away",
        ("person", "lane"),
    ),
    "leases.kept": Line(
        "info",
        "a lease could not be given back; another process has it when it runs out",
        "See what `code` means: farthing explain CODE",
        ("code",),
    ),
    "events.postponed": Line(
        "info",
        "followers of events wait, because the books cannot be read now",
        "See what `code` means: farthing explain CODE",
        ("code",),
    ),
    "events.failed": Line(
        "error",
        "a round of telling events failed; the next one tells them",
        "Report it: a fault of this software",
        ("exception",),
    ),
    "request.denied": Line(
        "info",
        "somebody had no right to what they asked for, or could not prove it",
        "Many from one address: see who it is",
        ("code", "path", "address"),
    ),
    "request.failed": Line(
        "error",
        "a request ended in 500",
        "Report it: a fault of this software",
        ("path", "code?", "detail?", "trace?"),
    ),
    "upstream.timed_out": Line(
        "warning",
        "the service behind the proxy took too long; nobody paid for it",
        "Look at the service",
        ("seconds",),
    ),
    "upstream.failed": Line(
        "warning",
        "the service behind the proxy broke off; nobody paid for it",
        "Look at the service",
        ("why",),
    ),
    "upstream.away": Line(
        "warning",
        "the service behind the proxy takes no connection; nobody paid for it",
        "Start the service, or mend `--upstream`",
        ("why",),
    ),
    "prices.reloaded": Line("info", "the price file was read anew", "", ("offers",)),
    "prices.not_reloaded": Line(
        "error",
        "the price file is wrong; the old prices stand",
        "farthing prices check FILE",
        ("why", "hint"),
    ),
    "prices.not_read": Line(
        "error",
        "the hub was not heard about its offers; the old prices stand",
        "See whether the hub runs; it is asked again in seconds",
        ("why", "hint"),
    ),
    "openapi.unpriced": Line(
        "warning",
        "the app's own OpenAPI document is passed on without prices; told once",
        "Mend what `why` says, if agents shall find the prices there",
        ("why",),
    ),
    "paywall.no_meters": Line(
        "error",
        "what is sold by sessions is asked for, and there is no file to meter it with; once an"
        " offer",
        "Start the proxy with --meters FILE, or withdraw the offer",
        ("offer", "pattern"),
    ),
    "paywall.handler_failed": Line(
        "error",
        "a handler failed before its answer; the buyer has its money back",
        "Mend the handler",
        ("exception",),
    ),
    "paywall.handler_failed_late": Line(
        "error",
        "a handler failed after its whole answer; the buyer has paid and was served",
        "Mend the handler",
        ("exception",),
    ),
    "paywall.answer_broke_off": Line("debug", "a paid answer ended early", "", ("exception?",)),
    "paywall.capture_failed": Line(
        "error",
        "a payment could not be captured, and the answer was not handed out",
        "See what `code` means: farthing explain CODE",
        ("payment", "code?", "state?"),
    ),
    "paywall.receipt_not_written": Line(
        "error",
        "an answer went out without its receipt, which the hub still has",
        "Report it: a fault of this software",
        ("payment", "exception"),
    ),
    "paywall.delivery_not_recorded": Line(
        "error",
        "an answer broke off, and the hub was not heard about it",
        "Look the payment up, and refund it if you would have",
        ("payment", "code"),
    ),
    "paywall.gives_back_later": Line(
        "warning",
        "the hub was not heard about money to give back; it is asked again for an hour",
        "See whether the hub runs",
        ("payment", "code"),
    ),
    "paywall.not_given_back": Line(
        "error",
        "the hub refused to give money back",
        "See what `code` means, and refund the payment by hand",
        ("payment", "code"),
    ),
    "paywall.given_up": Line(
        "error",
        "the hub was not heard for an hour; the money was not given back",
        "Look the payment up and refund it",
        ("payment", "hint"),
    ),
    "paywall.count_not_read": Line(
        "error",
        "a handler said a count that is no whole number; the reserve was counted",
        "Mend the handler: Farthing-Count is a whole number in digits",
        ("session",),
    ),
    "paywall.not_counted": Line(
        "error",
        "what a session uses could not be counted, so it was not sent; `code` says why",
        "See whether the disk of the meters is full; `session-closed` needs nothing",
        ("session", "code"),
    ),
    "metering.not_handed_in": Line(
        "warning",
        "the hub was not heard when vouchers were handed in; they are kept and handed in again",
        "See whether the hub runs",
        ("vouchers", "code"),
    ),
    "metering.refused": Line(
        "info",
        "the hub did not take a voucher; after the end of a session it is handed in as late",
        "See what `code` means: farthing explain CODE",
        ("session", "code", "late"),
    ),
    "metering.not_closed": Line(
        "warning",
        "a session that is over could not be closed; it is tried again",
        "See what `code` means: farthing explain CODE",
        ("session", "code"),
    ),
    "metering.not_looked_up": Line(
        "warning",
        "the hub was not heard about a session; it is asked again in a minute",
        "See whether the hub runs",
        ("session", "code"),
    ),
    "metering.behind": Line(
        "warning",
        "a round of settling failed; it is tried again",
        "See what `code` means: farthing explain CODE",
        ("code",),
    ),
}

ALWAYS: dict[str, str] = {
    "timestamp": "when, RFC 3339 in UTC; of an event the book's time",
    "level": "debug, info, warning or error",
    "event": "the line's name, which does not change between versions; a library's is a sentence",
}

FACTS: dict[str, str] = {
    "address": "who asked: an IP address, or `local` for the hub's own socket",
    "code": "a problem's code, as farthing explain knows it",
    "detail": "the problem's detail",
    "exception": "a traceback, without the values of variables",
    "hint": "what to do next",
    "hub": "the hub's id",
    "late": "whether it was handed in as accepted before the session's end",
    "leaves": "how many leaves the history has",
    "logger": "the part of the software, or the library, that wrote it",
    "lost_head": "the newest head that was known",
    "movement": "the id of a top-up or a payout",
    "number": "the head's number",
    "offers": "how many prices are in force",
    "path": "the path asked for, percent-encoded, without its query",
    "rows": "how many rows of a table are copied",
    "rows_in_all": "how many rows of it there are to copy",
    "rule": "the name of a rule of risk",
    "schema": "the number of the schema that the books get",
    "offer": "the offer: its id in the hub, or its name in the price file",
    "pattern": "the path of an offer, as it was put up",
    "payee": "the account that is to be paid",
    "payment": "the payment's id",
    "places": "how many clients may be connected",
    "seconds": "how long was waited, or how far the clock is behind the books",
    "session": "the session's id",
    "state": "the state that the payment is in",
    "step": "which statement of a migration is next, or under way",
    "steps": "how many statements a migration has",
    "trace": "a traceback, without the values of variables",
    "transfers": "how many transfers a commit made",
    "until": "when orders are in time again",
    "upstream": "the address of the service behind the proxy",
    "url": "where it is reached",
    "vouchers": "how many vouchers",
    "wanted": "how many were configured",
    "worker": "which of several workers: a number from 0",
    "webhook": "the webhook's id",
    "why": "what the system, the database or the other side said",
    "way": "how somebody was to be told: push, email, sms, webhook or apprise",
    "person": "per_…, somebody who signs in",
    "lane": "which list of notices: asks, security, money, account or summary",
}

OF_EVENTS: dict[str, str] = {
    "act": "what was done with an odd order: allow, ask or refuse",
    "account": "the account that an invited device will spend from, or that gets a fee",
    "agent": "the browser and system that a person signed in with, as it says of itself",
    "amount": "smallest units that were asked for",
    "asset": "what is counted",
    "by": "what let a person add a passkey: a link, a recovery code, or a passkey",
    "captured": "smallest units captured so far",
    "deposit": "smallest units that a session holds",
    "device": "the device's id",
    "ended_by": "who ended a session: a side, or time",
    "fee": "smallest units that all fees of a payment took",
    "fee_returned": "smallest units of them that went back with refunds",
    "id": "the event's number, as `GET /v1/events` has it",
    "key": "a public key",
    "listed_at": "where the offer is listed for everybody to find",
    "lost": "the newest head of the books that were lost",
    "of": "whose fee it is: hub, or an offer's id",
    "payee": "the account that is paid",
    "payer": "the account that pays",
    "promised": "smallest units that a session's newest voucher promises",
    "reasons": "what was odd about an order, in words",
    "rail": "the rail that moves money in or out",
    "reason": "why: a refusal's code, or what a seller said of a void or a refund",
    "refunded": "smallest units refunded so far",
    "roles": "what a person may do",
    "revision": "how often the mandate was written",
    "scopes": "what an API key may do",
    "state": "the state that the payment came into",
    "subject": "the id of what it happened to",
    "test_money": "always true: nobody paid for it",
    "typologies": "the patterns of misuse that an odd order looks like",
    "units": "smallest units",
    "kinds": "which kinds of events a webhook gets",
    "undelivered": "the number of the event that was given up",
    "why": "why a webhook was turned off: owner, gone or failing",
    "would": "what would have been done with it, had the rules in shadow counted",
    "way": "by which way an address is told: push, email, sms, webhook or apprise",
}
"""What stands in the line of an event, besides what stands in each."""
