"""Where people meet this hub: the origin their browser sees, and the cookie that is kept there."""

from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from farthing.errors import Forbidden, Malformed
from farthing.services.passkeys import Site
from farthing.settings import LOOPBACK, Config
from farthing.web.api.endpoint import Call
from farthing.web.problems import HttpProblem

_SECRET_MAX = 64
_BRACKETED = "[::1]"


def site_of(call: Call) -> Site:
    """Tell where the browser is: at the hub's public URL, or at `localhost` on this machine.

    Shape:  without a public URL no other name will do: passkeys and cookies belong to a name, and
            a foreign name that leads here is somebody's trick (DNS rebinding).
    Raises: HttpProblem `no-public-url` with 421.
    """
    server = call.desk.config.server
    if server.public_url:
        return _site(server.public_url)
    host = call.headers.get("host", "")
    if urlsplit(f"//{host}").hostname != "localhost":
        detail = "set [server] public_url to the name that people reach this hub by"
        raise HttpProblem(421, "no-public-url", detail)
    return _site(f"{_scheme(call.desk.config)}://{host}")


def moved_to_localhost(call: Call) -> str:
    """Give the same place by the name `localhost`, for who came by this machine's number.

    Shape: empty where nobody is to move. A passkey is for a name and never for a number.
    """
    server = call.desk.config.server
    parts = urlsplit(f"//{call.headers.get('host', '')}")
    by_number = parts.hostname in LOOPBACK and parts.hostname != "localhost"
    if server.public_url or not by_number:
        return ""
    port = f":{parts.port}" if parts.port else ""
    path = call.endpoint.path.format(**{name: quote(told) for name, told in call.path.items()})
    return f"{_scheme(call.desk.config)}://localhost{port}{path}"


def _site(url: str) -> Site:
    parts = urlsplit(url)
    return Site(f"{parts.scheme}://{parts.netloc}".lower(), (parts.hostname or "").lower())


def _scheme(config: Config) -> str:
    return "https" if config.server.tls_cert else "http"


def people_url(config: Config) -> str:
    """Give the URL that people open: the public one, or this machine's by its name."""
    server = config.server
    if server.public_url:
        return _site(server.public_url).origin
    return f"{_scheme(config)}://localhost:{server.port}"


def cookie_name(site: Site) -> str:
    """Name the cookie. Shape: `__Host-` over TLS; on this machine one for each port."""
    parts = urlsplit(site.origin)
    return "__Host-farthing" if parts.scheme == "https" else f"farthing-{parts.port or 80}"


def secret_in(call: Call, site: Site) -> str:
    """Read the session's secret out of the request; empty if there is none."""
    try:
        found = SimpleCookie(call.headers.get("cookie", "")).get(cookie_name(site))
    except CookieError:
        return ""
    return found.value if found is not None and len(found.value) <= _SECRET_MAX else ""


def cookie(site: Site, secret: str, seconds: int) -> tuple[bytes, bytes]:
    """Write the field that keeps a session's secret in the browser; 0 seconds takes it away."""
    secure = "; Secure" if site.origin.startswith("https:") else ""
    value = f"{cookie_name(site)}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"
    return b"set-cookie", (value + secure).encode()


def check_origin(call: Call, site: Site) -> None:
    """Refuse what a page of somebody else's had the browser send.

    Raises: Forbidden `foreign-page`.
    Source: OWASP ASVS 5.0, 3.5.1.
    """
    here = call.headers.get("origin") == site.origin
    if not here or call.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Forbidden("foreign-page", "this was not sent by a page of this hub")


def agent_of(call: Call) -> str:
    """Say in a few words which browser this is, for the list of where one is signed in."""
    text = call.headers.get("user-agent", "")
    browsers = (("Firefox/", "Firefox"), ("Edg/", "Edge"), ("OPR/", "Opera"),
                ("Chrome/", "Chrome"), ("Safari/", "Safari"))  # fmt: skip
    systems = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"),
               ("Windows", "Windows"), ("Mac OS", "Mac"), ("Linux", "Linux"))  # fmt: skip
    browser = next((name for mark, name in browsers if mark in text), "")
    system = next((name for mark, name in systems if mark in text), "")
    return " · ".join(part for part in (browser, system) if part) or "?"


def one_line(text: str, most: int) -> str:
    """Read a short text that a person typed.

    Raises: Malformed.
    """
    if len(text) > most or not text.isprintable():
        raise Malformed("malformed-form", f"at most {most} printable characters")
    return text.strip()
