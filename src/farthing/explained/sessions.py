"""Hints: sessions, vouchers, tariffs."""

HINTS = {
    "bad-voucher": "Sign with the key that signed the opening order, for this very session.",
    "count-too-large": "Close the session and open another one.",
    "malformed-session": "Write the order's resource as docs/reference/sessions.md says.",
    "malformed-session-file": "Ask the hub how the session stands, then open another one.",
    "malformed-tariff": "Write the tariff as docs/reference/sessions.md says.",
    "malformed-voucher": "Write the voucher as docs/reference/sessions.md says.",
    "no-such-session": "Look at your sessions: GET /v1/sessions",
    "session-alias-taken": "Open the session with a new nonce.",
    "session-closed": "It is settled as it stands; open another session to go on.",
    "session-deposit": "Draw it by vouchers and close its session; the rest is then released.",
    "session-full": "Close this session and open one with a larger deposit.",
    "session-over": "Open another session; what its payee had accepted can still be handed in.",
    "session-revoked": "Talk to the owner, who took the device's permission away.",
    "tariff-mismatch": "Send the tariff whose hash is in the order.",
    "too-expensive": "Close the session and open another one.",
    "voucher-beyond-deposit": "Top the session up, then send the same voucher again.",
    "voucher-expired": "Sign a voucher that is good until the session's end.",
    "voucher-superseded": "Go on from `promised`: sign a voucher for more than that.",
    "wrong-purpose": "Send it where its resource says: deposits to sessions, others to payments.",
}
