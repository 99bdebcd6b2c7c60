"""The link in a notice that turns its class off: by one click, a person's or a mail program's.

Source: RFC 8058. To look at the link turns nothing off: mail is read by programs that follow links.
"""

from farthing.errors import Malformed
from farthing.web.api.endpoint import Call, Reply
from farthing.web.pages.render import Renderer, page_reply
from farthing.web.pages.words import chosen


async def stop_page(call: Call) -> Reply:
    """Show what would be turned off."""
    _, about = call.desk.notices.stopping(call.path["ticket"])
    return _page(call, about.value, done=False)


async def stop(call: Call) -> Reply:
    """Turn it off. Nobody has to be signed in: the link is the proof, and opens nothing else."""
    if len(call.raw) > _FORM_BYTES_MAX:
        raise Malformed("malformed-form", "this form carries nothing")
    about = await call.desk.notices.stop(call.path["ticket"])
    return _page(call, about.value, done=True)


_FORM_BYTES_MAX = 4096


def _page(call: Call, about: str, *, done: bool) -> Reply:
    renderer = Renderer(chosen(call.headers.get("accept-language", "")), call.desk.ctx.assets)
    html = renderer.html(
        "stop.html", me=None, here="", about=about, done=done, ticket=call.path["ticket"]
    )
    secure = call.desk.config.server.public_url.startswith("https:")
    return page_reply(html, secure=secure)
