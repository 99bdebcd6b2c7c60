"""Hints: webhooks, and money in and out."""

HINTS = {
    "malformed-network": "Write it like 10.0.0.0/8, with no bits set behind the length.",
    "insufficient-balance": "Pay out less, or wait for what is held: farthing balances",
    "no-such-movement": "List what there is: farthing topups list, farthing payouts list",
    "no-such-rail": "Name a rail that the operator has turned on in [rails].",
    "no-such-webhook": "List what there is: farthing webhooks list",
    "nothing-to-move": "Name at least one unit.",
    "nothing-to-replay": "Name an event after which to begin; farthing tail shows their ids.",
    "reference-reused": "Report it: a rail was asked twice for different things.",
    "security-unheard": "Leave security one way at least.",
    "too-many-webhooks": "Remove one that is no longer wanted: farthing webhooks remove whk_…",
    "unknown-event-kind": "Use one of the kinds that the detail lists.",
    "unknown-language": "Use one of the languages that the detail lists.",
    "url-refused": "Use a public https:// URL; the operator may allow networks in [webhooks].",
    "webhook-off": "Turn it on: farthing webhooks enable whk_…",
    "webhook-removed": "Add a new one: farthing webhooks add URL",
}
