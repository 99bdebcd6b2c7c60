"""A browser without a screen: keeps cookies, follows nothing by itself, and has passkeys."""

import re
from typing import Any

import httpx

from farthing.web.app import HubApp
from tests.web.api.town import LOCAL, Town

from .authenticator import Authenticator

ORIGIN = "http://localhost:8402"
HTML = {"accept": "text/html", "accept-language": "en"}


class Browser:
    """Asks one hub's pages as a person's browser does."""

    def __init__(self, town: Town, app: HubApp | None = None) -> None:
        self.town, self.key = town, Authenticator(ORIGIN)
        transport = httpx.ASGITransport(app or HubApp(town.hub.desk))
        self.http = httpx.AsyncClient(transport=transport, base_url=ORIGIN)

    async def invited(self, owner: str = "buyer", **more: Any) -> str:
        """Be invited, and give the code of the link."""
        body = {"name": "Ada", "roles": ["owner"], "owner": self.town.owners[owner]} | more
        self.person = await self.town.made("POST", "/v1/people", body, who=LOCAL)
        return self.person["link"].partition("#")[2]

    async def join(self, code: str) -> httpx.Response:
        """Make a passkey by a code."""
        told = await self.told("/join/begin", {"code": code})
        return await self.post("/join/finish", {"code": code, **self.key.make(told)})

    async def joined(self, owner: str = "buyer") -> "Browser":
        """Be invited and make a passkey, which signs in."""
        answer = await self.join(await self.invited(owner))
        assert answer.status_code == 200, answer.text
        return self

    async def sign_in(self) -> httpx.Response:
        """Sign in with the passkey."""
        return await self.post("/sign-in/finish", self.key.show(await self.told("/sign-in/begin")))

    async def page(self, path: str, **fields: str) -> httpx.Response:
        """Open a page."""
        return await self.http.get(path, headers=HTML | fields)

    async def told(self, path: str, body: Any = None) -> Any:
        """Ask for what must be given."""
        answer = await self.post(path, body or {})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, **fields: str) -> httpx.Response:
        """Send JSON as a page's script does."""
        headers = {"origin": ORIGIN, "sec-fetch-site": "same-origin"} | fields
        return await self.http.post(path, json=body, headers=headers)

    async def mark(self) -> str:
        """Read what this session's forms carry."""
        shown = await self.page("/account")
        found = re.search(r'<meta name="csrf" content="([^"]+)"', shown.text)
        assert found, shown.text
        return found[1]

    async def submit(self, path: str, form: dict[str, str], **fields: str) -> httpx.Response:
        """Send a form of this session."""
        headers = HTML | {"origin": ORIGIN} | fields
        whole = {"csrf": await self.mark()} | form
        return await self.http.post(path, data=whole, headers=headers)

    async def prove(self, act: str, subject: str) -> dict[str, Any]:
        """Confirm an act with the passkey, as the page's script does."""
        told = await self.post(
            "/proofs", {"act": act, "subject": subject}, **{"x-csrf": await self.mark()}
        )
        assert told.status_code == 200, told.text
        return self.key.show(told.json())
