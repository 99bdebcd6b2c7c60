"""People who answer on the pages of real hubs, all of which know where they are signed in."""

import re
from urllib.parse import urlencode, urlsplit

import httpx

from tests.e2e.hub_process import HubProcess
from tests.web.pages.authenticator import Authenticator

from .market import Market
from .wire import Ask

_FORM = "application/x-www-form-urlencoded"


class Person:
    """Somebody of an owner, signed in once; what they send goes to any of the hubs."""

    def __init__(self, market: Market, owner: str, name: str) -> None:
        self._market, self._first = market, market.hubs[0]
        made = market.made("/v1/people", name=name, roles=["owner"], owner=owner)
        self.id, code = made["id"], made["link"].partition("#")[2]
        self._key = Authenticator(origin_of(self._first))
        told = self._posted("/join/begin", {"code": code}).json()
        joined = self._posted("/join/finish", {"code": code, **self._key.make(told)})
        self.secret = _secret(joined)

    def _posted(self, path: str, body: object) -> httpx.Response:
        answer = httpx.post(self._first.url + path, json=body, headers=_fields(self._first))
        assert answer.is_success, answer.text
        return answer

    def again(self) -> str:
        """Sign in once more, in another browser, and give that one's secret."""
        told = self._posted("/sign-in/begin", {}).json()
        return _secret(self._posted("/sign-in/finish", self._key.show(told)))

    def answers(self, payment: str, said: str, secret: str = "") -> list[Ask]:
        """Write the form that answers a payment, for each hub."""
        secret = secret or self.secret
        path = f"/wallet/payments/{payment}"
        headers = _fields(self._first, secret) | {"accept": "text/html"}
        shown = httpx.get(self._first.url + path, headers=headers).text
        found = [re.search(f'name="{name}" value="([^"]+)"', shown) for name in ("csrf", "terms")]
        csrf, terms = [each[1] for each in found if each is not None]
        form = urlencode({"csrf": csrf, "terms": terms, "answer": said}).encode()
        return [
            Ask(
                hub.url,
                "POST",
                f"{path}/answer",
                form,
                _fields(hub, secret) | {"content-type": _FORM},
            )
            for hub in self._market.hubs
        ]


def origin_of(hub: HubProcess) -> str:
    """Give where people meet a hub on this machine."""
    return f"http://localhost:{urlsplit(hub.url).port}"


def _fields(hub: HubProcess, secret: str = "") -> dict[str, str]:
    origin = origin_of(hub)
    fields = {"host": origin.removeprefix("http://"), "origin": origin}
    cookie = f"farthing-{urlsplit(hub.url).port}={secret}"
    return fields | ({"cookie": cookie} if secret else {})


def _secret(answer: httpx.Response) -> str:
    return answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
