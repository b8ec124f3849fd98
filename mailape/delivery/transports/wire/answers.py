"""The server's answers out of its bytes, however they were cut on the way (RFC 5321 4.2).

Strict where a mistake would give one mail the answer of another: whatever is no answer ends the
session. Lenient where servers in the field are: a bare line feed ends a line, the words may miss.
"""

from __future__ import annotations

# The code, and the line with it; of an answer with several lines the words of all, on one.
Answer = tuple[int, bytes]

# RFC 5321 4.5.3.1.5 allows 512 octets a line; some servers write more, none writes this much.
LONGEST_LINE = 4096
MOST_LINES = 100
_ENDLESS = "an answer without an end"

_CODES = [(code, b"%d" % code) for code in range(200, 600)]
_LAST = {digits + end: code for code, digits in _CODES for end in (b" ", b"", b"\r")}
_MORE = {digits + b"-": code for code, digits in _CODES}


def words(line: bytes) -> str:
    """What an answer says behind its code; what is not UTF-8 becomes a replacement character."""
    return line[4:].rstrip().decode("utf-8", "replace")


class AnswerReader:
    """Takes bytes as they come and gives whole answers.

    `fault` says in a few words why what came is no answer, and then nothing more is read: the
    answers before it count, what follows means nothing.
    """

    def __init__(self) -> None:
        self.fault = ""
        self._rest = b""
        self._lines: list[bytes] = []  # of an answer that goes on
        self._code = 0

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that `data` completes, in order."""
        if self.fault:
            return []
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        answers: list[Answer] = []
        for line in lines:
            code = _LAST.get(line[:4])
            if code is None or self._lines or len(line) > LONGEST_LINE:
                self._unusual(line, answers)
                if self.fault:
                    return answers
            else:
                answers.append((code, line))
        if len(self._rest) > LONGEST_LINE:
            self.fault = _ENDLESS
        return answers

    def _unusual(self, line: bytes, answers: list[Answer]) -> None:
        """A line of an answer with several, or one that is none."""
        code = _MORE.get(line[:4]) or _LAST.get(line[:4])
        if len(line) > LONGEST_LINE or len(self._lines) >= MOST_LINES:
            self.fault = _ENDLESS
        elif code is None or (self._lines and code != self._code):
            self.fault = f"no SMTP answer: {line[:80].decode('ascii', 'replace')!r}"
        elif line[3:4] == b"-":
            self._code = code
            self._lines.append((line[4:] if self._lines else line).rstrip())
        else:
            answers.append((code, b" ".join([*self._lines, line[4:]])))
            self._lines.clear()
