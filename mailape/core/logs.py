"""Logging to console and file, as text or JSON, without secrets or full addresses."""

from __future__ import annotations

import json
import logging
import logging.config
import re
import time
from typing import Any

# An address becomes its first letter and domain; a path with a token loses the token.
_ADDRESS = re.compile(r"([\w.+%-])[\w.+%'-]*@([\w-]+(?:\.[\w-]+)*)")
_TOKEN = re.compile(r"/(confirm|u|p|v|c|o|setup|reset|invite)/[\w.~-]{8,}")
_BEARER = re.compile(r"(?i)(bearer|token|password|secret)([=: ]+)\S+")
_URL_SECRET = re.compile(r"(://[^/\s:@]*):[^@/\s]+@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def cleaned(text: str) -> str:
    """`text` on one line, without tokens, passwords or full addresses."""
    text = _TOKEN.sub(r"/\1/…", text)
    text = _URL_SECRET.sub(r"\1:…@", text)
    text = _BEARER.sub(r"\1\2…", text)
    text = _ADDRESS.sub(r"\1…@\2", text)
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


class TextForm(logging.Formatter):
    """One line for people: time, level, logger, text; a trace follows on lines of its own."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s  %(message)s", "%Y-%m-%d %H:%M:%SZ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class names it
        record.message = cleaned(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return "\n".join(cleaned(line) for line in super().formatException(ei).splitlines())


class JsonForm(logging.Formatter):
    """One JSON object a line for machines."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "logger": record.name,
            "message": cleaned(record.getMessage()),
        }
        if record.exc_info:
            entry["trace"] = "\n".join(
                cleaned(line) for line in self.formatException(record.exc_info).splitlines()
            )
        return json.dumps(entry, ensure_ascii=False)


def configure(level: str, file: str | None, form: str, kept: str | None = None) -> None:
    """Sets logging up for this process: console, and `file` besides where one is named.

    `kept` is a file of ours instead, which is cut when it has grown; nobody else rotates it.
    """
    handlers: dict[str, dict[str, Any]] = {
        "console": {"class": "logging.StreamHandler", "formatter": form}
    }
    if file:
        # Watched, so that logrotate may move the file away under a running process.
        handlers["file"] = {
            "class": "logging.handlers.WatchedFileHandler",
            "filename": file,
            "formatter": form,
            "encoding": "utf-8",
            "delay": True,
        }
    elif kept:
        handlers["file"] = {
            "class": "mailape.core.logfile.BoundedFile",
            "filename": kept,
            "formatter": form,
        }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"text": {"()": TextForm}, "json": {"()": JsonForm}},
            "handlers": handlers,
            "root": {"level": level, "handlers": list(handlers)},
            "loggers": {
                "django.request": {"level": "ERROR"},
                # Scanners send any Host; each would be a trace in the log.
                "django.security.DisallowedHost": {"level": "CRITICAL"},
                "celery": {"level": "WARNING" if level == "INFO" else level},
                "kombu": {"level": "WARNING"},
                "asyncio": {"level": "WARNING"},
                "MARKDOWN": {"level": "WARNING"},
            },
        }
    )
