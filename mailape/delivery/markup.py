"""From what a writer wrote to mail HTML: Markdown, cleaning, a layout round it, CSS inlined.

Size and depth are capped before anything native reads a document: css-inline ends the whole process
on thousands of nested elements, and cleaning takes minutes on them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import css_inline
import nh3
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt

LARGEST = 1_000_000  # octets
DEEPEST = 200
COLUMN = 536  # pixels that a text is wide, as layout.html has it
_FOLDER = Path(__file__).parent / "mails"

_TAG = re.compile(r"<(/?)([a-zA-Z][\w:-]*)(?:[^\"'<>]|\"[^\"]*\"|'[^']*')*>")
_STYLE = re.compile(r"<style[^>]*>(.*?)(?:</style\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_IMPORT = re.compile(r"@(?:import|charset)\b[^;]*;?", re.IGNORECASE)
_IMAGE = re.compile(r"<img\b[^>]*>")
_HAS_SIZE = re.compile(r"\s(?:width|height|style)=")
_BODY = re.compile(r"<(/?)body\b", re.IGNORECASE)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VOID = _words("area base br col embed hr img input link meta source track wbr")
# Elements that another one closes by beginning: unclosed ones nest no deeper.
_SELF_ENDING = _words("p li dt dd td th tr thead tbody tfoot colgroup option html body")

_ELEMENTS = _words(
    "a abbr b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn"
    " div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main"
    " mark ol p pre q s samp section article small span strike strong sub summary sup table tbody"
    " td tfoot th thead time tr tt u ul var wbr"
)
_NOTHING_INSIDE = _words(
    "script style title template noscript iframe object svg math head textarea select"
)
_EVERYWHERE = _words(
    "align aria-hidden aria-label bgcolor border class dir height id lang role style title valign"
    " width"
)
_ATTRIBUTES = {
    "*": set(_EVERYWHERE),
    "a": {"href", "name", "target"},
    "col": {"span"},
    "colgroup": {"span"},
    "font": {"color", "face", "size"},
    "img": {"src", "alt"},
    "li": {"value"},
    "ol": {"start", "type"},
    "table": {"background", "cellpadding", "cellspacing"},
    "td": {"background", "colspan", "nowrap", "rowspan"},
    "th": {"background", "colspan", "nowrap", "rowspan", "scope"},
    "ul": {"type"},
}
_CLEANER = nh3.Cleaner(
    tags=set(_ELEMENTS),
    clean_content_tags=set(_NOTHING_INSIDE),
    attributes=_ATTRIBUTES,
    url_schemes={"http", "https", "mailto", "tel"},
    strip_comments=False,  # they may stand for merge tags
    link_rel=None,
)
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_INLINER = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


class TooMuch(ValueError):
    """A document that is too large or too deeply nested. The text is for the writer."""


def from_markdown(text: str, here: int | None = None) -> str:
    """HTML of CommonMark with tables and ~~strikethrough~~; HTML in it is let through uncleaned.

    The outermost block that line `here` (counted from 1) stands in gets the id "here".
    """
    _check_size(text)
    tokens = _MARKDOWN.parse(text)
    if here is not None:
        begun = [t for t in tokens if t.level == 0 and t.map and t.map[0] < here and t.nesting >= 0]
        marked = [token for token in begun if token.type != "html_block"]
        if marked:
            marked[-1].attrSet("id", "here")
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def clean(html: str) -> str:
    """`html` without scripts, forms, frames and whatever else does not belong into a mail.

    Raises TooMuch.
    """
    _check_size(html)
    _check_depth(html)  # before: nh3 takes quadratic time on depth
    cleaned = _CLEANER.clean(_BODY.sub(r"<\1div", html))
    _check_depth(cleaned)  # after: what nh3 wrote is nested as it looks
    return cleaned


def sized(html: str, sizes: Mapping[str, tuple[int, int]]) -> str:
    """`html` as `clean` wrote it, its images with the size that they are shown in.

    `sizes` are pixels by token. Outlook takes an image's own size else, and lets it burst the mail.
    One to which its writer gave a width or a height stays as it is; the style sheet makes all of
    them fit a narrower screen.
    """

    def measured(tag: re.Match[str]) -> str:
        size = next((sizes[token] for token in sizes if f"/{token}." in tag[0]), None)
        if size is None or _HAS_SIZE.search(tag[0]):
            return tag[0]
        width = min(size[0], COLUMN)
        height = max(1, round(size[1] * width / size[0]))
        return f'{tag[0][:-1]} width="{width}" height="{height}">'

    return _IMAGE.sub(measured, html) if sizes else html


def styles(html: str) -> str:
    """The style sheets in `html` as one, without imports."""
    sheet = "\n".join(found[1] for found in _STYLE.finditer(html))
    return _IMPORT.sub("", sheet).replace("<", "")


def laid_out(layout: str, **parts: str) -> str:
    """The layout with each part in the place of the comment of its name."""
    for name, part in parts.items():
        layout = layout.replace(f"<!--{name}-->", part)
    return layout


def inlined(document: str) -> str:
    """The document with its style sheets written into the elements; only @media rules stay.

    Raises TooMuch, and for a style sheet that cannot be read.
    """
    _check_size(document)
    _check_depth(document)
    try:
        return _INLINER.inline(document)
    except css_inline.InlineError as wrong:
        raise TooMuch(f"The style sheet cannot be understood: {wrong}") from wrong


@lru_cache(maxsize=256)
def mail_file(name: str, language: str = "en") -> str:
    """A file of `delivery/mails/`: layouts and the texts of MailApe's own mails.

    Those in another language lie in a folder of its name; what is not there is in English.
    """
    path = _FOLDER / language / name
    if language == "en" or not path.is_file():
        path = _FOLDER / name
    return path.read_text(encoding="utf-8")


def _check_size(text: str) -> None:
    if len(text.encode("utf-8", "replace")) > LARGEST:
        raise TooMuch(_("The text is larger than 1 MB."))


def _check_depth(html: str) -> None:
    depth = 0
    for closing, name in _TAG.findall(html):
        if name.lower() in _VOID | _SELF_ENDING:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        if depth > DEEPEST:
            raise TooMuch(f"The text nests elements more than {DEEPEST} deep.")
