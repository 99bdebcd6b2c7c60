"""A strict OpenID provider on this machine that can be told to lie in every way we know."""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwk, jws

CLIENT, SECRET = "farthing hub", "a secret/with:marks"


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Provider:
    """Says who somebody is. Shape: `spoil` changes what goes into a token, or the token itself."""

    def __init__(self, port: int, now_s: Callable[[], int]) -> None:
        self.issuer, self.now_s = f"http://127.0.0.1:{port}", now_s
        self.keys = {"one": jwk.generate_key("RSA", 2048, parameters={"kid": "one"})}
        self.signs = "one"
        self.claims: dict[str, Any] = {"sub": "ada@work", "name": "Ada"}
        self.document: dict[str, Any] = {}
        self.spoil: Callable[[dict[str, Any], dict[str, Any]], None] = lambda _header, _claims: None
        self.token: Callable[[str], str] = lambda token: token
        self.access_token = "an access token"
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []

    def authorise(self, url: str) -> dict[str, str]:
        """Do what its pages do with a browser that was sent there, and say what it is sent with."""
        asked = {name: told[0] for name, told in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(f"{self.issuer}/authorise?"), url
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def answer(self, path: str, form: dict[str, str], headers: Any) -> tuple[int, Any]:
        """Answer a request of the hub's."""
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorise",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "end_session_endpoint": f"{self.issuer}/out",
                "code_challenge_methods_supported": ["S256"],
            } | self.document
        if path == "/keys":
            return 200, {"keys": [key.as_dict(private=False) for key in self.keys.values()]}
        if path == "/token":
            return self._token(form, headers)
        return 404, {}

    def _token(self, form: dict[str, str], headers: Any) -> tuple[int, Any]:
        pair = base64.b64encode(b"farthing%20hub:a%20secret%2Fwith%3Amarks").decode()
        if headers["authorization"] != f"Basic {pair}":
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if b64(hashlib.sha256(form["code_verifier"].encode()).digest()) != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        return 200, {
            "id_token": self.token(self.made(asked["nonce"])),
            "access_token": self.access_token,
            "token_type": "Bearer",
        }

    def made(self, nonce: str) -> str:
        """Make a token for this request."""
        now = self.now_s()
        header: dict[str, Any] = {"alg": "RS256", "kid": self.signs}
        half = hashlib.sha256(self.access_token.encode()).digest()[:16]
        claims = {
            "iss": self.issuer, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce,
            "at_hash": b64(half),
        } | self.claims  # fmt: skip
        self.spoil(header, claims)
        payload = json.dumps(claims).encode()
        key = self.keys[self.signs]
        if header["alg"] == "none":
            return f"{b64(json.dumps(header).encode())}.{b64(payload)}."
        if header["alg"] == "HS256":  # Signed with what everybody knows: the public key.
            whole = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
            mac = hmac.digest(key.as_pem(private=False), whole.encode(), "sha256")
            return f"{whole}.{b64(mac)}"
        return jws.serialize_compact(header, payload, key, algorithms=[header["alg"]])

    def signs_out(self, **told: Any) -> str:
        """Make a logout token: of whom it says, for the hub."""
        now = self.now_s()
        header: dict[str, Any] = {"alg": "RS256", "kid": self.signs, "typ": "logout+jwt"}
        events = {"http://schemas.openid.net/event/backchannel-logout": {}}
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": "first",
            "events": events, "sub": self.claims["sub"],
        } | told  # fmt: skip
        self.spoil(header, claims)
        payload = json.dumps(claims).encode()
        if header["alg"] == "none":
            return f"{b64(json.dumps(header).encode())}.{b64(payload)}."
        key = self.keys[self.signs]
        return jws.serialize_compact(header, payload, key, algorithms=[header["alg"]])


@contextlib.contextmanager
def providing(now_s: Callable[[], int]) -> Iterator[Provider]:
    """Serve a provider."""
    here: list[Provider] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_told: Any) -> None:
            """Say nothing."""

        def _answer(self, form: dict[str, str]) -> None:
            status, body = here[0].answer(self.path, form, self.headers)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            if status == 302:
                self.send_header("location", body)
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["content-length"])).decode()
            self._answer({name: told[0] for name, told in parse_qs(sent).items()})

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here.append(Provider(server.server_address[1], now_s))
        running = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        running.start()
        yield here[0]
        server.shutdown()
