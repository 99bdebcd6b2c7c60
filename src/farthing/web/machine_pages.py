"""The pages by which machines find what is sold: ours, or the app's own with prices in it."""

import dataclasses
from collections.abc import Iterable

from farthing.core.paths import written
from farthing.web.asgi import App, Receive, Send
from farthing.web.discovery import LLMS, OPENAPI, document, service_info
from farthing.web.for_sale import ForSale
from farthing.web.incoming import Incoming
from farthing.web.own_document import JSON, OwnDocument, Wanted, document_place
from farthing.web.problems import send_answer


class MachinePages:
    """Answers `/openapi.json` and `/llms.txt`.

    Shape:  `place` is where the app has a document of its own.
    Raises: BadConfig `bad-document-path`.
    """

    def __init__(self, place: str = OPENAPI) -> None:
        self._place = document_place(place)
        self._own = OwnDocument()

    def asked(self, paths: Iterable[str]) -> str:
        """Tell which of these pages is asked for, by any reading of a path; or nothing."""
        return next((path for path in paths if path in (OPENAPI, LLMS, self._place)), "")

    def where(self, page: str, request: Incoming) -> Incoming:
        """Give the request with which an app is asked for its page, under the same root."""
        if page != OPENAPI:
            return request
        path = written(request.path.text.removesuffix(OPENAPI) + self._place)
        scope = {**request.scope, "path": path.text, "raw_path": path.raw.encode("ascii")}
        return dataclasses.replace(request, scope=scope, path=path)

    async def tell(
        self,
        page: str,
        sale: ForSale,
        origin: str,
        app: App | None,
        request: Incoming,
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer a page. Shape: without `app` nobody is asked, and ours is given."""
        ours = document(page, sale, origin) if page in (OPENAPI, LLMS) else None
        if app is None and ours is not None:
            await send_answer(send, ours, head=request.method == "HEAD")
        elif app is not None:
            media = JSON if page == OPENAPI else b""
            wanted = Wanted(sale, service_info(sale, origin), ours, media)
            scope = self.where(page, request).scope
            await self._own.answer(app, scope, receive, send, wanted)
