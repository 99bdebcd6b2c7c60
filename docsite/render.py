"""From Markdown tokens to HTML."""

import html
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from docsite.links import Links
from docsite.source import Page, parser, plain

LANGUAGES = {
    "caddy": "text",
    "console": "console",
    "http": "http",
    "ini": "ini",
    "json": "json",
    "nginx": "nginx",
    "promql": "promql",
    "python": "python",
    "sh": "bash",
    "sql": "sql",
    "systemd": "systemd",
    "text": "text",
    "toml": "toml",
    "yaml": "yaml",
}
"""What a fenced block may be, and how it is coloured."""

_COPIED = {"sh", "python", "toml", "json", "nginx", "caddy", "yaml", "ini", "systemd", "promql"}
_COMMENT = re.compile(r"\s*<!--.*?-->\s*", re.DOTALL)
_BREAK = "<br>"
"""The one tag that pages may have: in a table's cell there is no other way to a new line."""
_JOINT = re.compile(r"(?<=\w)[_/=@](?=[\w$])")
_UNBROKEN_MAX = 16
_STACKED_COLUMNS = 3
_DENSE_COLUMNS = 5


def render(page: Page, links: Links) -> str:
    """Write a page's content as HTML; what is wrong with it is noted on the page."""
    _mark_tables(page.tokens)
    for token in page.tokens:
        _prepare(token, page, links)
    return _Writer().render(page.tokens, parser().options, {"page": page, "links": links})


def code(text: str, language: str) -> str:
    """Colour a text, as spans with the highlighter's classes."""
    try:
        lexer = get_lexer_by_name(LANGUAGES.get(language, language), stripnl=False)
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    return highlight(text, lexer, HtmlFormatter(nowrap=True)).rstrip("\n")


def _prepare(token: Token, page: Page, links: Links) -> None:
    """Point the links of a block to their places."""
    line = token.map[0] if token.map else None
    for part in token.children or []:
        if part.type == "link_open":
            href = links.target(page, str(part.attrGet("href") or ""), line)
            part.attrSet("href", href)
            if href.startswith("https://"):
                part.attrSet("rel", "noopener noreferrer")
        elif part.type == "html_inline" and not _may_stand(part.content):
            page.fault(f"write Markdown instead of {part.content}", line)
    if token.type == "html_block" and not _COMMENT.fullmatch(token.content):
        page.fault("write Markdown instead of HTML", line)
    if token.type == "fence" and token.info not in LANGUAGES:
        page.fault(f"a block is one of {', '.join(LANGUAGES)}, not {token.info!r}", line)


def _may_stand(tag: str) -> bool:
    """Tell whether a piece of HTML in a line is a comment or a new line."""
    return tag == _BREAK or _COMMENT.fullmatch(tag) is not None


def _mark_tables(tokens: Sequence[Token]) -> None:
    """Tell each cell what its column is called, for screens on which columns do not fit."""
    names: list[str] = []
    column = 0
    table: Token | None = None
    for token, inside in pairwise([*tokens, tokens[-1]]):
        if token.type == "table_open":
            names, table = [], token
        elif token.type == "th_open":
            names.append(plain(inside))
            if table is not None and len(names) >= _STACKED_COLUMNS:
                dense = " dense" if len(names) >= _DENSE_COLUMNS else ""
                table.attrSet("class", f"stacked{dense}")
        elif token.type == "tr_open":
            column = 0
        elif token.type == "td_open":
            token.attrSet("data-label", names[column] if column < len(names) else "")
            column += 1


class _Writer(RendererHTML):
    """Writes what differs from plain HTML: code, tables, headings, pictures, comments."""

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write a block of code."""
        token = tokens[idx]
        copied = " copied" if token.info in _COPIED else ""
        inner = code(token.content, token.info)
        return f'<div class="code{copied}"><pre tabindex="0"><code>{inner}</code></pre></div>\n'

    def code_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write a code; a long one may be broken where its parts meet."""
        text = html.escape(tokens[idx].content, quote=False)
        broken = _JOINT.sub(r"\g<0><wbr>", text) if len(text) > _UNBROKEN_MAX else text
        return f"<code>{broken}</code>"

    def text(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write text; a long word, such as a path, may be broken where its parts meet."""
        words = html.escape(tokens[idx].content).split(" ")
        return " ".join(
            _JOINT.sub(r"\g<0><wbr>", w) if len(w) > _UNBROKEN_MAX else w for w in words
        )

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Begin a table that scrolls by itself where it is too wide."""
        return '<div class="table">' + self.renderToken(tokens, idx, options, env)

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """End it."""
        return self.renderToken(tokens, idx, options, env) + "</div>\n"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """End a heading with a link to itself."""
        anchor = tokens[idx - 2].attrGet("id")
        link = f'<a class="anchor" href="#{anchor}" aria-label="link to this heading">#</a>'
        return ("" if tokens[idx].tag == "h1" else link) + f"</{tokens[idx].tag}>\n"

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Put an SVG drawing into the page, where it takes the page's colours; or show a screen."""
        token, page = tokens[idx], env["page"]
        file = env["links"].image(page, str(token.attrGet("src") or ""), None)
        told = self.renderInlineAsText(token.children, options, env)
        if not told:
            page.fault("a picture has a text for those who do not see it")
        if file is None:
            return ""
        if file.suffix == ".png":
            url = html.escape(env["links"].screen(page, str(token.attrGet("src"))), quote=True)
            return f'<img class="screen" src="{url}" alt="{html.escape(told, quote=True)}">'
        drawing = re.sub(r"<\?xml.*?\?>\s*|<!--.*?-->\s*", "", file.read_text(), flags=re.DOTALL)
        label = html.escape(told, quote=True)
        return f'<span class="drawing" role="img" aria-label="{label}">{drawing}</span>'

    def html_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Leave comments out."""
        return ""

    def html_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Keep new lines, and leave comments out."""
        return _BREAK if tokens[idx].content == _BREAK else ""
