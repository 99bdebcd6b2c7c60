"""Hints: people who sign in to the pages."""

HINTS = {
    "approval-changed": "Look at the payment again, and answer what is shown now.",
    "bad-challenge": "Begin again: a challenge is good for five minutes, for one act.",
    "bad-passkey": "Use a passkey made here, or ask for a link: farthing people link per_…",
    "bad-sign-in-code": "Ask the operator for another link: farthing people link per_…",
    "challenge-used": "Look at what came of it; to do it again, begin again.",
    "foreign-page": "Do it on a page of the hub itself, opened anew.",
    "guardian-needed": "Ask who looks after this wallet: they approve it, or allow more.",
    "last-passkey": "Add a passkey that stays first.",
    "malformed-form": "Send the form as the page of the hub has it.",
    "malformed-passkey": "Send a ticket and an answer as the script of the page does.",
    "malformed-sign-in-code": "Write the code as it was shown, or open the link itself.",
    "no-public-url": "Set [server] public_url; on this machine itself, open http://localhost:8402",
    "no-such-passkey": "Look at the passkeys you have on the page of your account.",
    "no-such-person": "List who there is: farthing people list",
    "no-such-sign-in": "Look at where you are signed in on the page of your account.",
    "not-signed-in": "Sign in first, and do it again.",
    "passkey-known": "Sign in with it: it was made here already.",
    "passkey-needed": "Confirm it with your passkey, which needs JavaScript.",
    "person-incomplete": "Give a name, and at least one of owner and operator.",
    "too-many-passkeys": "Remove a passkey that is not used any more.",
}
