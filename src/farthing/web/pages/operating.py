"""Handlers of the console: for who looks after the hub; to others there is no such page."""

from collections.abc import Awaitable, Callable

from farthing.errors import Missing
from farthing.web.api.endpoint import Handler, Reply
from farthing.web.pages.visit import Shown, Visit, by_form, signed_in


def for_operators(shown: Shown) -> Handler:
    """Make a handler of a page of the console."""

    async def only(visit: Visit) -> Reply | None:
        need_operator(visit)
        return await shown(visit)

    return signed_in(only)


def by_operator(act: Callable[[Visit, dict[str, str]], Awaitable[Reply]]) -> Handler:
    """Make a handler of a form of the console."""

    async def checked(visit: Visit, form: dict[str, str]) -> Reply:
        need_operator(visit)
        return await act(visit, form)

    return by_form(checked)


def need_operator(visit: Visit) -> None:
    """Tell whoever does not look after the hub that there is nothing here.

    Raises: Missing `no-such-path`.
    """
    if not visit.me.is_operator:
        raise Missing("no-such-path", "see /openapi.json for what this hub serves")
