"""The hub itself."""

from typing import Any, NotRequired, TypedDict


class HealthAnswer(TypedDict):
    """How the hub is: `ok`, `ready`, `closing`, `not-writable`, `disk-full`, `clock-behind-books`.

    Units: `seconds` is for how long the clock is behind the books.
    """

    status: str
    seconds: NotRequired[int]


class HubAnswer(TypedDict):
    """How the books stand."""

    hub: str
    commits: int
    head: str | None
    engine: str
    url: str


class AssetAnswer(TypedDict):
    """An asset; its smallest unit has `scale` decimals."""

    code: str
    scale: int


CertificateAnswer = TypedDict(
    "CertificateAnswer", {"from": str, "hub": str, "key": str, "signature": str}
)


class IdentityAnswer(TypedDict):
    """Who this hub is, and the keys that sign for it."""

    hub: str
    root_key: str
    certificates: list[CertificateAnswer]
    assets: list[AssetAnswer]
    protocols: dict[str, Any]
    api: str
