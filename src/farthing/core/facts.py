"""How an administrative change is stated: the history holds its kind, its subject and a hash.

Names and addresses stay in rows that can be deleted; the hash is salted by the ids and the time
inside, so it proves the row to who has it and tells nothing to who has not.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

from farthing import ids
from farthing.codec import canonical_json, to_base64url
from farthing.core.decisions import Outcome, View
from farthing.core.events import Fact, event_writes
from farthing.core.records import Write

T = TypeVar("T")


def state_change(
    view: View, answer: T, facts: Sequence[Fact], writes: Sequence[Write]
) -> Outcome[T]:
    """Write rows and events, and a statement whose kind and subject are the first fact's."""
    first = facts[0]
    digest = hashlib.sha256(
        canonical_json({"body": dict(first.body), "at": str(view.now_ns)})
    ).digest()
    statement = canonical_json(
        {"digest": to_base64url(digest), "kind": first.kind.value, "subject": first.subject}
    )
    return Outcome(
        answer,
        [*writes, *event_writes(view.leaf, view.now_ns, facts)],
        _subject(first.subject),
        statement,
    )


def _subject(text: str) -> int:
    _, _, encoded = text.partition("_")
    return ids.decode(encoded) if len(encoded) == len(ids.encode(0)) else 0


def body_of(**members: Any) -> dict[str, str]:
    """Give an event's body: text members, those that are None left out."""
    return {name: str(value) for name, value in members.items() if value is not None}
