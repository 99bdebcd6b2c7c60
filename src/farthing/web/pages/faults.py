"""What is refused on a page: said in words that tell what to do, or as a problem to a script."""

from farthing.errors import FarthingError
from farthing.explained import hint_of
from farthing.money import Asset
from farthing.web.api.reading import read_headers
from farthing.web.asgi import Scope
from farthing.web.pages.render import GUARDS, HTML, Renderer
from farthing.web.pages.words import chosen
from farthing.web.problems import Answer, problem_answer, status_of


class Faults:
    """Writes refusals."""

    def __init__(self, assets: dict[str, Asset]) -> None:
        self._assets = assets

    def __call__(self, scope: Scope, error: FarthingError) -> Answer:
        """Write a page for a browser that shows it, and a problem for anything else."""
        headers = read_headers(scope["headers"])
        problem = problem_answer(error)
        fields = [*problem.headers, *GUARDS]
        if "text/html" not in headers.get("accept", ""):
            return Answer(problem.status, fields, problem.body)
        renderer = Renderer(chosen(headers.get("accept-language", "")), self._assets)
        name = f"fault.{error.code}"
        told = renderer.say(name) if renderer.knows(name) else error.detail
        html = renderer.html(
            "fault.html",
            me=None,
            here="",
            told="" if status_of(error) == 500 else told,
            hint="" if renderer.knows(name) else hint_of(error.code),
            code=error.code,
        )
        body = html.encode()
        own = (b"content-type", b"content-length")
        kept = [(name, value) for name, value in fields if name not in own]
        kept += [(b"content-type", HTML.encode()), (b"content-length", b"%d" % len(body))]
        return Answer(problem.status, kept, body)
