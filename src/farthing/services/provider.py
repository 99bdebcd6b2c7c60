"""An OpenID provider as the hub asks it: its document, its keys, and codes turned into tokens.

What it says of itself is kept for a while. Where it is asked is what the operator's issuer says of
itself, over TLS, at public addresses or networks that the operator names; nothing is followed.

Source: OpenID Connect Discovery 1.0, section 4; RFC 9700 (OAuth security best practices).
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, cast
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from farthing.clock import NS
from farthing.errors import Unauthenticated, Unavailable
from farthing.log_lines import Log
from farthing.services.id_tokens import Expected, UnknownKey, read_id_token, read_logout_token

log = Log("organisation")

ANSWER_BYTES_MAX = 262_144
_DOCUMENT_SECONDS, _KEYS_SECONDS = 3600, 600
_KEYS_AGAIN_SECONDS = 30
"""A key that nobody knows has the keys read again, but not more often: tokens are cheap to make."""


class Heard(NamedTuple):
    """What an outside address answered. Shape: `status` is 0 where it was not heard."""

    status: int
    body: bytes
    fault: str = ""


Ask = Callable[[str, str, Sequence[tuple[str, str]], bytes], Awaitable[Heard]]
"""Asks a URL by a method, with headers and a body."""


class Document(msgspec.Struct, frozen=True):
    """What a provider says of itself, as far as it matters here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str = ""
    code_challenge_methods_supported: tuple[str, ...] = ("S256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str = ""


class Provider:
    """Asks one provider. Shape: `secret` is the client's, empty for a public client."""

    def __init__(
        self, issuer: str, client: str, secret: str, ask: Ask, clock: Callable[[], int]
    ) -> None:
        self.issuer, self.client, self._secret = issuer, client, secret
        self._ask, self._clock = ask, clock
        self._document: tuple[int, Document] | None = None
        self._keys: tuple[int, list[dict[str, Any]]] | None = None

    async def document(self) -> Document:
        """Give what it says of itself.

        Raises: Unavailable `organisation-unreachable`.
        """
        now = self._clock()
        if self._document is None or now - self._document[0] > _DOCUMENT_SECONDS * NS:
            url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
            read = await self._got(url, Document)
            self._check(read)
            self._document = now, read
        return self._document[1]

    def _check(self, read: Document) -> None:
        """Refuse a document of another issuer's, or one that leads where no browser may be sent."""
        named = (read.authorization_endpoint, read.token_endpoint, read.jwks_uri)
        secured = urlsplit(self.issuer).scheme
        if read.issuer != self.issuer:
            raise _unreachable("its document is another issuer's")
        if "S256" not in read.code_challenge_methods_supported:
            raise _unreachable("it does not take PKCE with S256")
        ends = (read.end_session_endpoint,) if read.end_session_endpoint else ()
        for url in (*named, *ends):
            parts = urlsplit(url)
            if parts.scheme not in ("https", secured) or not parts.netloc or parts.fragment:
                raise _unreachable("its document names an address that is not secured")

    async def names_itself(self) -> bool:
        """Tell whether whoever comes back from it brings its name (RFC 9207)."""
        return (await self.document()).authorization_response_iss_parameter_supported

    async def sign_in_url(self, given: dict[str, str]) -> str:
        """Write where a browser is sent to sign in."""
        document = await self.document()
        asked = {"response_type": "code", "client_id": self.client, **given}
        mark = "&" if urlsplit(document.authorization_endpoint).query else "?"
        return f"{document.authorization_endpoint}{mark}{urlencode(asked)}"

    async def sign_out_url(self, back: str) -> str:
        """Write where a browser is sent to sign out there as well; empty where it has no such."""
        document = await self.document()
        if not document.end_session_endpoint:
            return ""
        given = {"client_id": self.client, "post_logout_redirect_uri": back}
        mark = "&" if urlsplit(document.end_session_endpoint).query else "?"
        return f"{document.end_session_endpoint}{mark}{urlencode(given)}"

    async def claims(self, code: str, verifier: str, back: str, nonce: str) -> dict[str, Any]:
        """Turn a code into what it says of somebody.

        Raises: Unauthenticated `organisation-refused`, `bad-id-token`; Unavailable.
        """
        tokens = await self._tokens(await self.document(), code, verifier, back)
        expected = Expected(self.issuer, self.client, nonce, tokens.access_token)
        now_s = self._clock() // NS
        return await self._held(lambda keys: read_id_token(tokens.id_token, keys, expected, now_s))

    async def signed_out(self, token: str) -> dict[str, Any]:
        """Read whom it has signed out.

        Raises: Unauthenticated `bad-id-token`; Unavailable.
        """
        expected, now_s = Expected(self.issuer, self.client, ""), self._clock() // NS
        return await self._held(lambda keys: read_logout_token(token, keys, expected, now_s))

    async def _held(self, read: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> dict[str, Any]:
        document = await self.document()
        try:
            return read(await self._known(document))
        except UnknownKey:
            pass  # The provider may have a new one.
        try:
            return read(await self._known(document, anew=True))
        except UnknownKey:
            detail = "what your organisation sent does not hold: nobody knows its key"
            raise Unauthenticated("bad-id-token", detail) from None

    async def _known(self, document: Document, *, anew: bool = False) -> list[dict[str, Any]]:
        """Give its keys. Shape: `anew` where one is wanted that is not among those kept."""
        now, kept = self._clock(), self._keys
        lasts = _KEYS_AGAIN_SECONDS if anew else _KEYS_SECONDS
        if kept is None or now - kept[0] > lasts * NS:
            found = await self._got(document.jwks_uri, dict[str, Any])
            keys = found.get("keys")
            listed = cast(list[Any], keys) if isinstance(keys, list) else []
            self._keys = now, [cast(dict[str, Any], k) for k in listed if isinstance(k, dict)]
        return self._keys[1] if self._keys is not None else []

    async def _tokens(self, document: Document, code: str, verifier: str, back: str) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        headers = [
            ("accept", "application/json"),
            ("content-type", "application/x-www-form-urlencoded"),
        ]
        if self._secret and "client_secret_basic" in document.token_endpoint_auth_methods_supported:
            pair = f"{quote(self.client, safe='')}:{quote(self._secret, safe='')}"
            headers.append(("authorization", f"Basic {b64encode(pair.encode()).decode()}"))
        else:
            form["client_id"] = self.client
            form |= {"client_secret": self._secret} if self._secret else {}
        body = urlencode(form).encode()
        heard = await self._ask("POST", document.token_endpoint, headers, body)
        if heard.status in (400, 401):
            log.warning("organisation.code_refused", status=heard.status)
            raise Unauthenticated("organisation-refused", "your organisation did not take the code")
        return _read(heard, _Tokens)

    async def _got(self, url: str, kind: Any) -> Any:
        return _read(await self._ask("GET", url, [("accept", "application/json")], b""), kind)


def _read(heard: Heard, kind: Any) -> Any:
    if heard.status != 200:
        raise _unreachable(heard.fault or f"it answered {heard.status}")
    try:
        return msgspec.json.decode(heard.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _unreachable("its answer cannot be read") from None


def _unreachable(why: str) -> Unavailable:
    log.warning("organisation.unreachable", why=why)
    return Unavailable("organisation-unreachable", "your organisation cannot be asked now")
