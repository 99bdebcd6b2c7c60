"""Hints: webhooks and notices."""

HINTS = {
    "malformed-network": "Write it like 10.0.0.0/8, with no bits set behind the length.",
    "no-such-webhook": "List what there is: farthing webhooks list",
    "nothing-to-replay": "Name an event after which to begin; farthing tail shows their ids.",
    "too-many-webhooks": "Remove one that is no longer wanted: farthing webhooks remove whk_…",
    "unknown-event-kind": "Use one of the kinds that the detail lists.",
    "url-refused": "Use a public https:// URL; the operator may allow networks in [webhooks].",
    "webhook-off": "Turn it on: farthing webhooks enable whk_…",
    "webhook-removed": "Add a new one: farthing webhooks add URL",
}
