"""Devices, and what they may spend."""

from typing import TypedDict


class BudgetAnswer(TypedDict):
    """A limit per period."""

    name: str
    per: str
    limit: str
    payees: list[str]
    categories: list[str]


class MandateTerms(TypedDict):
    """What a mandate says."""

    id: str
    owner: str
    asset: str
    name: str
    largest: str | None
    budgets: list[BudgetAnswer]
    payees: list[str]
    categories: list[str]
    hours: list[str]
    time_zone: str
    expires: str | None
    ask_above: str | None
    two_above: str | None
    ask_seconds: int
    on_timeout: str
    revision: int
    revoked_at: str | None


class ProposedAnswer(TypedDict):
    """What one person wants a mandate to be, and another one agrees to or not."""

    by: str
    at: str
    until: str
    wanted: MandateTerms


class MandateAnswer(MandateTerms):
    """A mandate. `proposed` waits for a second person, and is null where nothing does."""

    proposed: ProposedAnswer | None


DeviceKeyAnswer = TypedDict(
    "DeviceKeyAnswer", {"public_key": str, "from": str, "until": str | None}
)


class DeviceAnswer(TypedDict):
    """A device."""

    id: str
    owner: str
    account: str
    mandate: str
    name: str
    keys: list[DeviceKeyAnswer]
    created_at: str
    revoked_at: str | None


class InvitationAnswer(TypedDict):
    """An invitation; its code is in this answer and nowhere else."""

    id: str
    code: str
    expires: str


class EnrolmentAnswer(TypedDict):
    """What a newly enrolled device has to know."""

    device: str
    account: str
    mandate: str
    hub: str
    root_key: str
    assets: dict[str, int]
