"""Every metric there is, in one table: its name, its kind, its labels, and what it tells.

Labels take few values: never an owner, a device, a path or an id, which would tell strangers
about people and fill the monitoring system's memory.
"""

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]

FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds: from half a millisecond, which is less than a commit, to what nobody waits for."""

QUICK = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25,
    2.5,
)  # fmt: skip
"""Seconds: from what judging one order takes, over what a full commit's take, to a hub that reads
its history first."""

SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 512.0)
"""Units of one commit; the last is the most there can be."""


class Metric(NamedTuple):
    """One metric. Shape: `buckets` for histograms alone; without `always` it is absent until it is
    told, where 0 would be a lie.
    """

    name: str
    kind: Kind
    told: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    always: bool = True


PAYMENT_STEPS = ("authorise", "verify", "commit", "capture", "void", "refund", "cancel")
HUB_CALLS = ("authorise", "capture", "void", "refund", "delivery")
OUTCOMES = ("free", "asked", "paid", "refused", "turned-away", "failed")
REFUSED = (401, 403, 405, 408, 413, 414, 429, 431, 503, 504)
"""Statuses that tell of a request more than of what it asked for."""

HUB = (
    Metric(
        "farthing_payments_total",
        "counter",
        "Payments that came into a state; `reason` is a refusal's code",
        ("state", "reason", "asset"),
    ),
    Metric(
        "farthing_captured_units_total",
        "counter",
        "Smallest units captured; a measure, not the books",
        ("asset",),
    ),
    Metric("farthing_events_total", "counter", "Events that were committed", ("kind",)),
    Metric(
        "farthing_payment_seconds",
        "histogram",
        "How long a step of a payment took; verify and commit are parts of authorise",
        ("step",),
        FAST,
    ),
    Metric(
        "farthing_payment_failures_total",
        "counter",
        "Steps of payments that ended in a problem; refusals by a rule are not among them",
        ("step", "code"),
    ),
    Metric("farthing_commit_seconds", "histogram", "How long a commit took", (), FAST),
    Metric("farthing_commit_units", "histogram", "How many units one commit decided", (), SIZES),
    Metric("farthing_commit_failures_total", "counter", "Commits that could not be written"),
    Metric(
        "farthing_books_wait_seconds",
        "histogram",
        "How long the first unit of a commit waited for its turn",
        (),
        FAST,
    ),
    Metric("farthing_books_queue_units", "gauge", "Units that wait for a commit"),
    Metric("farthing_books_queue_units_max", "gauge", "How many may wait before 503 is answered"),
    Metric("farthing_books_writable", "gauge", "1, or 0 since a commit could not be written"),
    Metric("farthing_ready", "gauge", "1, or 0 while payments cannot be taken, as `/readyz` says"),
    Metric(
        "farthing_audit_ok",
        "gauge",
        "1 if the newest `farthing audit` found nothing wrong, or 0; absent before the first",
        always=False,
    ),
    Metric(
        "farthing_audit_time_seconds",
        "gauge",
        "When the newest audit ended, in Unix seconds; 0 before the first",
    ),
    Metric(
        "farthing_signatures_total",
        "counter",
        "Signatures of orders that were verified: `good`, or `bad`",
        ("verdict",),
    ),
    Metric("farthing_signatures_waiting", "gauge", "Signatures that wait for a thread"),
    Metric(
        "farthing_http_requests_total",
        "counter",
        "Requests by endpoint and class of status; `none` is a path that is not served",
        ("endpoint", "status"),
    ),
    Metric(
        "farthing_http_request_seconds",
        "histogram",
        "From a request's head to its answer's head",
        ("endpoint",),
        FAST,
    ),
    Metric("farthing_event_streams_open", "gauge", "Event streams that somebody follows"),
    Metric("farthing_holds_open", "gauge", "Payments that are held"),
    Metric(
        "farthing_hold_overdue_seconds",
        "gauge",
        "How long ago the oldest open hold should have ended; 0 if none should",
    ),
    Metric("farthing_asks_waiting", "gauge", "Payments that await their owner"),
    Metric(
        "farthing_cases_waiting",
        "gauge",
        "Cases that nobody has decided: `open`, or `proposed` and waiting for a second person",
        ("state",),
    ),
    Metric(
        "farthing_risk_flags_total",
        "counter",
        "How often a rule was among the reasons of a flag; `act` is what was done: allow (it was"
        " only watched), ask or refuse",
        ("rule", "act"),
    ),
    Metric(
        "farthing_risk_judging_seconds",
        "histogram",
        "How long the rules took for all orders of one commit, those of commits without any left"
        " out; what of the history they had missed is read within it",
        (),
        QUICK,
    ),
    Metric(
        "farthing_risk_judged_total",
        "counter",
        "Orders that the rules looked at; the seconds by these are what one takes",
    ),
    Metric("farthing_worker_rounds_total", "counter", "Rounds of the worker that went well"),
    Metric("farthing_worker_failures_total", "counter", "Rounds of the worker that failed"),
    Metric(
        "farthing_heads_not_noted_total",
        "counter",
        "Heads that could not be written to their second place",
    ),
    Metric(
        "farthing_risk_model_usable",
        "gauge",
        "Whether the model in this role scores, or why not is in the log",
        ("role",),
    ),
    Metric("farthing_risk_scored_total", "counter", "Orders that a model has scored", ("role",)),
    Metric(
        "farthing_risk_remarkable_total",
        "counter",
        "Those of them that it found odder than 99 in 100 of what it was trained on",
        ("role",),
    ),
    Metric("farthing_risk_scores_behind", "gauge", "Leaves of the history that are not scored yet"),
    Metric(
        "farthing_risk_scores_skipped_total",
        "counter",
        "Leaves of the history that were not scored, for too much came at once",
    ),
    Metric("farthing_database_bytes", "gauge", "Size of the books, their log included"),
    Metric(
        "farthing_disk_free_bytes",
        "gauge",
        "Free room on the disk of the `books` (SQLite) and of the `heads`",
        ("place",),
    ),
    Metric("farthing_disk_size_bytes", "gauge", "Size of that disk", ("place",)),
    Metric("farthing_schema_version", "gauge", "The newest migration that the books have had"),
    Metric("farthing_commit_number", "gauge", "The newest commit's number"),
    Metric(
        "farthing_tls_certificate_expiry_seconds",
        "gauge",
        "When the certificate runs out, in Unix seconds; only where the hub does TLS itself",
        always=False,
    ),
)

SELLER = (
    Metric(
        "farthing_paywall_requests_total",
        "counter",
        "Requests to a paywall: free, asked (402), paid, refused (the payment was), turned-away"
        " (the request was), failed (an error came in place of the answer)",
        ("outcome",),
    ),
    Metric(
        "farthing_paywall_request_seconds",
        "histogram",
        "From a request's head to its answer's head",
        ("outcome",),
        FAST,
    ),
    Metric(
        "farthing_hub_call_seconds",
        "histogram",
        "How long the hub took to authorise, capture, void or refund",
        ("step",),
        FAST,
    ),
    Metric(
        "farthing_hub_call_failures_total",
        "counter",
        "Calls of the hub that ended in a problem",
        ("step", "code"),
    ),
    Metric(
        "farthing_upstream_seconds", "histogram", "How long the upstream took to begin", (), FAST
    ),
    Metric(
        "farthing_upstream_failures_total",
        "counter",
        "Requests that the upstream did not answer",
        ("code",),
    ),
    Metric("farthing_paid_runs_open", "gauge", "Handlers that run under a payment now"),
    Metric("farthing_kept_answers_bytes", "gauge", "Paid answers that are kept for a retry"),
    Metric(
        "farthing_money_not_given_back",
        "gauge",
        "Holds and charges that the hub has not yet been told to give back",
    ),
    Metric("farthing_offers_in_force", "gauge", "Offers in the price list in force"),
    Metric("farthing_meter_sessions_open", "gauge", "Sessions that are metered here"),
    Metric(
        "farthing_meter_unsettled_units",
        "gauge",
        "Smallest units that were promised here and that the hub does not know of yet",
        ("asset",),
    ),
    Metric(
        "farthing_meter_unsettled_units_max",
        "gauge",
        "How many of them there may be in each asset; above it nothing is served by sessions",
    ),
    Metric(
        "farthing_meter_unsettled_seconds",
        "gauge",
        "How long the oldest promise has waited that the hub does not know of; 0 without one",
    ),
    Metric(
        "farthing_meter_refused_total",
        "counter",
        "Vouchers that the hub did not take when they were handed in",
        ("code",),
    ),
)

EVERY = (
    Metric(
        "farthing_build_info",
        "gauge",
        "Always 1; the labels tell what runs",
        ("version", "part", "engine"),
    ),
    Metric("farthing_connections_open", "gauge", "Connections to the servers of this process"),
    Metric(
        "farthing_http_refused_total",
        "counter",
        "Requests that were refused for what they are, by an `app`, or by the `server` before any"
        " app saw them",
        ("status", "by"),
    ),
    Metric(
        "farthing_clock_seconds",
        "gauge",
        "This machine's clock, in Unix seconds, to hold against the monitoring system's",
    ),
)

OURS = (*EVERY, *HUB, *SELLER)
