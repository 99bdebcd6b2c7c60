"""Notices by any of the services that Apprise knows, of which the operator names those to use.

A URL of Apprise can lead anywhere, into the hub's own network too, and Apprise connects by itself.
So a person chooses only among schemes that the operator allows: those of a service with a fixed
address of its own, such as `tgram`. Where a scheme lets a person name a host, as `ntfys` does
beside its own service, only an address is taken that the operator allows as well: a name may mean
another address by the time Apprise looks it up. Needs `farthing[apprise]`.
"""

import asyncio
import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from farthing.errors import Malformed, PlugMissing
from farthing.notifiers.base import Notice, Posted
from farthing.notifiers.outside import Networks

try:
    import apprise
except ImportError as missing:
    raise PlugMissing("apprise-missing", "run: pip install 'farthing[apprise]'") from missing

_SECONDS = 30.0


class Services:
    """What Apprise knows, as a way of telling somebody.

    Shape: `schemes` may be used, and lead to hosts in the operator's own `networks` alone.
    """

    def __init__(
        self, schemes: Sequence[str], networks: Networks, seconds: float = _SECONDS
    ) -> None:
        self._schemes, self._networks = frozenset(schemes), networks
        self._seconds = seconds

    def check(self, place: str, keys: str) -> None:  # noqa: ARG002
        """Look at a URL. Raises: Malformed `malformed-address`, `url-refused`."""
        scheme = place.partition("://")[0].lower()
        if scheme not in self._schemes:
            allowed = ", ".join(sorted(self._schemes)) or "none"
            raise Malformed("url-refused", f"the operator allows: {allowed}")
        service = _made(place) if place.isascii() and place.isprintable() else None
        if service is None:
            raise Malformed("malformed-address", "give a URL as Apprise has it: tgram://token/chat")
        if _names_host(service) and not self._may_lead_to(service.host):
            raise Malformed("url-refused", "a host of your own is taken by an address in a network"
                            " that the operator allows, and by no name")  # fmt: skip

    def _may_lead_to(self, host: str) -> bool:
        try:
            return self._networks.configured(ip_address(host.strip("[]")))
        except ValueError:
            return False

    async def tell(self, place: str, keys: str, notice: Notice) -> Posted:  # noqa: ARG002
        """Tell it once."""
        began = time.monotonic()
        fault = "refused"
        try:
            async with asyncio.timeout(self._seconds):
                told = await asyncio.to_thread(_notify, place, notice)
            fault = "" if told else "refused"
        except TimeoutError:
            fault = "timeout"
        return Posted(0 if fault else 200, fault, round((time.monotonic() - began) * 1000))

    async def close(self) -> None:
        """Hold nothing."""


def _made(place: str) -> Any:
    asset = apprise.AppriseAsset(plugin_paths=[])
    library: Any = apprise.Apprise
    return library.instantiate(place, asset=asset, suppress_exceptions=True)


def _names_host(service: Any) -> bool:
    """Tell whether a URL says where its service is, and not only who one is there."""
    theirs = getattr(service, "mode", "") == "cloud"  # As ntfy calls its own.
    return not theirs and any("{host}" in each for each in service.templates)


def _notify(place: str, notice: Notice) -> bool:
    service, text = _made(place), notice.text
    if service is None:
        return False
    body = f"{text.body}\n{notice.open_url}\n--\n{text.why}\n{text.stop}"
    return bool(service.notify(title=text.title, body=body))
