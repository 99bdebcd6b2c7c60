"""How an administrative change is stated: the history holds its kind, its subject and a hash.

Names stay in rows that can be deleted; the hash is salted by the ids and the time inside, so it
proves the event to who has it and tells nothing to who has not.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

from farthing import ids
from farthing.codec import canonical_json, to_base64url
from farthing.core.decisions import Outcome, View
from farthing.core.events import Fact, event_writes
from farthing.core.records import Write
from farthing.core.stated import record_digest, record_name

T = TypeVar("T")


def state_change(
    view: View,
    answer: T,
    facts: Sequence[Fact],
    writes: Sequence[Write],
    relied_on: Sequence[Write] = (),
) -> Outcome[T]:
    """Write rows and events, and a statement whose kind and subject are the first fact's.

    Shape: the statement has a digest of each row written, as it was found and as it is left; rows
           only `relied_on` are stated too, as they stand.
    """
    first = facts[0]
    digest = hashlib.sha256(
        canonical_json({"body": dict(first.body), "at": str(view.now_ns)})
    ).digest()
    statement = canonical_json(
        {
            "after": _digests([*writes, *relied_on]),
            "before": _digests(_found(view, [*writes, *relied_on])),
            "digest": to_base64url(digest),
            "kind": first.kind.value,
            "subject": first.subject,
        }
    )
    return Outcome(
        answer,
        [*writes, *event_writes(view.leaf, view.now_ns, facts)],
        ids.number_if_any(first.subject),
        statement,
    )


def _found(view: View, writes: Sequence[Write]) -> list[Write]:
    """Give these rows as the unit found them, those that were there."""
    keyed = [(write.table, write.table.key_of(write.row)) for write in writes]
    found = [(table, view.get(table, key)) for table, key in keyed]
    return [Write(table, row) for table, row in found if row is not None]


def _digests(writes: Sequence[Write]) -> dict[str, str]:
    return {
        record_name(write.table, write.table.key_of(write.row)): record_digest(
            write.table, write.row
        )
        for write in writes
        if write.table.free is not None
    }


def body_of(**members: Any) -> dict[str, str]:
    """Give an event's body: text members, those that are None left out."""
    return {name: str(value) for name, value in members.items() if value is not None}
