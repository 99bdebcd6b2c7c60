"""From a template to an answer: escaped, in the visitor's language, under a strict policy."""

import gzip
import hashlib
from functools import cache, partial
from importlib.resources import files
from typing import Any
from unicodedata import bidirectional

import msgspec

from farthing.money import Asset
from farthing.web.api.endpoint import Reply
from farthing.web.asgi import RawHeaders
from farthing.web.pages.oddness import oddness, stopped_for
from farthing.web.pages.words import languages, words

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
GUARDS: RawHeaders = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
]
"""What every page says of itself. Source: OWASP ASVS 5.0, 3.4."""

_BACKWARDS = frozenset({"R", "AL", "RLE", "RLO", "RLI"})
_TLS = (b"strict-transport-security", b"max-age=31536000")
HTML = "text/html; charset=utf-8"

STATIC = {
    "app.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "notices.js": "text/javascript; charset=utf-8",
    "passkeys.js": "text/javascript; charset=utf-8",
    "receipt.js": "text/javascript; charset=utf-8",
    "sw.js": "text/javascript; charset=utf-8",
    "coin.svg": "image/svg+xml",
    "app.webmanifest": "application/manifest+json",
}


@cache
def static(name: str) -> bytes:
    """Read a file that is served as it is."""
    return (files("farthing.web.pages") / "static" / name).read_bytes()


@cache
def squeezed(name: str) -> bytes:
    """Give such a file as gzip: over a slow line that is what is waited for."""
    return gzip.compress(static(name), mtime=0)


@cache
def version() -> str:
    """Name what is served as it is by its content: a browser may keep it for good."""
    digest = hashlib.sha256(b"".join(static(name) for name in sorted(STATIC)))
    return digest.hexdigest()[:16]


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only for pages

    environment = Environment(
        loader=PackageLoader("farthing.web.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["apart"] = apart
    return environment


def apart(text: str) -> str:
    """Set a text that runs from right to left apart, so that what is around it stays in place.

    Source: UAX 9, 6.3: first strong isolates work in attributes as well as in pages.
    """
    backwards = any(bidirectional(one) in _BACKWARDS for one in text)
    return f"\u2068{text}\u2069" if backwards else text


class Renderer:
    """Writes pages in one language."""

    def __init__(self, language: str, assets: dict[str, Asset], *, ward: bool = False) -> None:
        from farthing.web.pages.figures import Figures  # noqa: PLC0415 - brings a template's parts

        self.language, self.figures = language, Figures(language, assets)
        self._words, self._ward = words(language), ward

    def say(self, name: str, /, **parts: Any) -> Any:
        """Give a text by its name, with parts put in, each escaped and set apart."""
        from markupsafe import Markup  # noqa: PLC0415

        mine = f"ward.{name}"
        if self._ward and mine in self._words:  # What somebody else decides is said otherwise.
            name = mine
        told = {
            part: apart(value) if type(value) is str else value for part, value in parts.items()
        }
        return Markup(self._words[name]).format(**told)  # noqa: S704 - the texts are our own

    def knows(self, name: str) -> bool:
        """Tell whether there is a text of this name."""
        return name in self._words

    def html(self, template: str, **values: Any) -> str:
        """Write a template."""
        return (
            _environment()
            .get_template(template)
            .render(
                say=self.say,
                knows=self.knows,
                odd=partial(oddness, self.say, self.knows),
                stopped_for=stopped_for,
                money=self.figures.markup,
                plain=self.figures.text,
                typed=self.figures.typed,
                moment=self.figures.moment,
                language=self.language,
                languages=languages(),
                version=version(),
                **values,
            )
        )


def page_reply(
    html: str, *, secure: bool, status: int = 200, more: RawHeaders | None = None
) -> Reply:
    """Answer a page."""
    return Reply(html.encode(), status, guarded(secure=secure) + (more or []), HTML)


def guarded(*, secure: bool) -> RawHeaders:
    """Give the fields that guard a page; `secure` where it came over TLS."""
    return [*GUARDS, _TLS] if secure else list(GUARDS)


def to_json(value: Any) -> bytes:
    """Write JSON."""
    return msgspec.json.encode(value)
