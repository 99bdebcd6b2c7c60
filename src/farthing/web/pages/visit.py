"""A visit: one request to a page, who makes it, and how it is answered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from farthing.errors import Forbidden, Unauthenticated
from farthing.services.passkeys import Site
from farthing.services.register import Visitor
from farthing.web.api.endpoint import Call, Handler, Reply
from farthing.web.asgi import RawHeaders
from farthing.web.pages.forms import check_mark, read_form
from farthing.web.pages.place import check_origin, moved_to_localhost, secret_in, site_of
from farthing.web.pages.render import Renderer, guarded, page_reply
from farthing.web.pages.words import chosen

SIGN_IN = "/sign-in"


@dataclass(slots=True)
class Visit:
    """What a page's handler is given. Shape: `secret` is the session's, empty without one."""

    call: Call
    site: Site
    secret: str
    visitor: Visitor | None
    renderer: Renderer

    @property
    def secure(self) -> bool:
        """Whether the browser came over TLS."""
        return self.site.origin.startswith("https:")

    @property
    def me(self) -> Visitor:
        """Who is here.

        Raises: Unauthenticated `not-signed-in`.
        """
        if self.visitor is None:
            raise Unauthenticated("not-signed-in", "sign in first")
        return self.visitor

    def page(self, template: str, *, status: int = 200, **values: Any) -> Reply:
        """Answer a page from a template."""
        html = self.renderer.html(template, me=self.visitor, here=self.call.endpoint.path, **values)
        return page_reply(html, secure=self.secure, status=status)

    def go(self, path: str, more: RawHeaders | None = None) -> Reply:
        """Send the browser to another page of ours."""
        fields = [(b"location", path.encode()), *guarded(secure=self.secure), *(more or [])]
        return Reply(b"", 303, fields, "text/plain")

    def told(self, body: Any, more: RawHeaders | None = None) -> Reply:
        """Answer JSON to a page's script."""
        return Reply(body, 200, guarded(secure=self.secure) + (more or []))


Shown = Callable[[Visit], Awaitable[Reply | None]]


async def visit_of(call: Call) -> Visit:
    """Read who visits, and in which language.

    Raises: HttpProblem `no-public-url`.
    """
    site = site_of(call)
    secret = secret_in(call, site)
    visitor = await call.desk.people.register.visitor(secret) if secret else None
    if visitor is not None:
        call.principal = visitor.principal()
    renderer = Renderer(
        chosen(call.headers.get("accept-language", "")),
        call.desk.ctx.assets,
        ward=visitor is not None and visitor.is_ward,
    )
    return Visit(call, site, secret, visitor, renderer)


def anybody(shown: Shown) -> Handler:
    """Make a handler of a page that needs nobody to be signed in."""

    async def handle(call: Call) -> Reply | None:
        moved = moved_to_localhost(call)
        if moved and call.endpoint.method == "GET":
            return Reply(b"", 303, [(b"location", moved.encode())], "text/plain")
        visit = await visit_of(call)
        if call.endpoint.method != "GET":
            check_origin(call, visit.site)
        return await shown(visit)

    return handle


def signed_in(shown: Shown) -> Handler:
    """Make a handler of a page for who is signed in; others are sent to where one signs in."""

    async def only(visit: Visit) -> Reply | None:
        if visit.visitor is None:
            if visit.call.endpoint.method != "GET" or visit.call.endpoint.streams:
                raise Unauthenticated("not-signed-in", "sign in first")
            return visit.go(SIGN_IN)
        return await shown(visit)

    return anybody(only)


def by_form(act: Callable[[Visit, dict[str, str]], Awaitable[Reply]]) -> Handler:
    """Make a handler of a form that changes something: sent by our page, for this session."""

    async def checked(visit: Visit) -> Reply:
        form = read_form(visit.call)
        check_mark(form.get("csrf", ""), visit.me)
        return await act(visit, form)

    return signed_in(checked)


def by_guardian(act: Callable[[Visit, dict[str, str]], Awaitable[Reply]]) -> Handler:
    """Make a handler of a form that allows or moves something: a ward's guardian sends it."""

    async def checked(visit: Visit, form: dict[str, str]) -> Reply:
        need_guardian(visit)
        return await act(visit, form)

    return by_form(checked)


def need_guardian(visit: Visit) -> None:
    """Refuse a ward what its guardians decide.

    Raises: Forbidden `guardian-needed`.
    """
    if visit.me.is_ward:
        raise Forbidden("guardian-needed", "your guardian says what is allowed here")


def by_script(act: Shown) -> Handler:
    """Make a handler that a page's script asks while somebody is signed in."""

    async def checked(visit: Visit) -> Reply | None:
        check_mark(visit.call.headers.get("x-csrf", ""), visit.me)
        return await act(visit)

    return signed_in(checked)
