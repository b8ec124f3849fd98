"""The text part of a mail, written from its cleaned HTML: the same words and the same links."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PARAGRAPHS = _words("p h1 h2 h3 h4 h5 h6 ul ol dl blockquote pre table hr figure")
_LINES = _words("div section article header footer main center li tr dt dd figcaption caption")
_BLANKS = re.compile(r"[ \t\r\n\f]+")


def write(html: str, url: Callable[[str], str] = str) -> str:
    """Plain text of cleaned HTML. Comments are kept as they are: they may stand for merge tags.

    `url` is what becomes of each link's URL.
    """
    writer = _Writer(url)
    writer.feed(html)
    writer.close()
    return writer.text()


class _Writer(HTMLParser):
    """Collects lines; each begins with what quotes and lists round it put before it."""

    def __init__(self, url: Callable[[str], str]) -> None:
        super().__init__(convert_charrefs=True)
        self._url = url
        self._lines: list[str] = []
        self._gap: str | None = None  # a blank line is due, and what stood before the text then
        self._line = ""
        self._before: list[str] = []  # per quote or list item round us
        self._first: str | None = None  # of a list item: its mark, for its first line
        self._numbers: list[int | None] = []  # per list round us: the next number, None for dots
        self._links: list[tuple[str, int]] = []
        self._pre = 0

    def text(self) -> str:
        self._end_line()
        return "\n".join(self._lines).strip("\n") + "\n"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self._open_block(tag)
        if tag == "br":
            self._end_line(even_empty=True)
        elif tag == "hr":
            self._line = "-" * 20
            self._end_paragraph()
        elif tag == "img" and given.get("alt", "").strip():
            self._say(f"[{given['alt'].strip()}]")
        elif tag in {"td", "th"} and self._line.strip():
            self._line = f"{self._line.rstrip()} | "
        elif tag == "a":
            self._links.append((given.get("href", ""), len(self._line)))
        elif tag in {"ul", "ol"}:
            self._numbers.append(_number(given.get("start", "")) if tag == "ol" else None)
        elif tag == "li":
            self._open_item()
        elif tag == "blockquote":
            self._before.append("> ")
        elif tag == "pre":
            self._pre += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._links:
            self._close_link(*self._links.pop())
        if tag in _LINES or (tag in {"ul", "ol"} and len(self._numbers) > 1):
            self._end_line()
        elif tag in _PARAGRAPHS:
            self._end_paragraph()
        if tag in {"ul", "ol"} and self._numbers:
            self._numbers.pop()
        elif tag in {"li", "blockquote"} and self._before:
            self._before.pop()
            self._first = None
        elif tag == "pre":
            self._pre = max(0, self._pre - 1)

    def handle_data(self, data: str) -> None:
        if self._pre:
            first, *rest = data.split("\n")
            self._line += first
            for line in rest:
                self._end_line(even_empty=True)
                self._line = line
        else:
            self._say(_BLANKS.sub(" ", data))

    def handle_comment(self, data: str) -> None:
        self._line += f"<!--{data}-->"

    def _say(self, text: str) -> None:
        self._line += text.lstrip(" ") if not self._line or self._line.endswith(" ") else text

    def _open_block(self, tag: str) -> None:
        if tag in _LINES or (tag in {"ul", "ol"} and self._numbers):
            self._end_line()
        elif tag in _PARAGRAPHS:
            self._end_line()
            if self._first is None:  # else it begins a list item, on the line of its mark
                self._end_paragraph()

    def _open_item(self) -> None:
        number = self._numbers[-1] if self._numbers else None
        self._first = "- " if number is None else f"{number}. "
        if number is not None:
            self._numbers[-1] = number + 1
        self._before.append(" " * len(self._first))

    def _close_link(self, url: str, start: int) -> None:
        said = self._line[start:].strip() if start <= len(self._line) else ""
        if not url or url.startswith("#") or said == url.removeprefix("mailto:"):
            return
        url = self._url(url)
        self._line = f"{self._line.rstrip()} ({url})" if said else f"{self._line}{url}"

    def _end_line(self, *, even_empty: bool = False) -> None:
        line, self._line = self._line.rstrip(), ""
        if not line and not even_empty:
            return
        before = "".join(self._before)
        if self._gap is not None and self._lines:
            # Between a quote and what follows it, the blank line belongs to neither.
            self._lines.append(min(self._gap, before, key=len).rstrip())
        self._gap = None
        if self._first is not None:
            before = "".join(self._before[:-1]) + self._first
            self._first = None
        self._lines.append((before + line).rstrip())

    def _end_paragraph(self) -> None:
        self._end_line()
        before = "".join(self._before)
        self._gap = before if self._gap is None else min(self._gap, before, key=len)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 1
