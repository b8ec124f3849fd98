"""The table of variables: every one that MailApe reads from the environment or from `.env`.

A wrong value stops the start with the variable's name, the fault and an example that would work.
docs/operate/configure.md lists the same table; a test holds the two together.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import idna

_HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9])?|[0-9a-f:.]+")


class WrongVariable(Exception):
    """A variable whose value cannot be used. Its text is one sentence for the person who set it."""

    def __init__(self, name: str, fault: str, example: str) -> None:
        super().__init__(f"{name} {fault}. Example: {name}={example}")
        self.name = name


def kept(text: str) -> str:
    """Marks a text for translation. Django's own mark asks for settings, which are made of this."""
    return text


@dataclass(frozen=True)
class Variable:
    """One variable: its name, what it means, what a wrong value is told, and how it is read."""

    name: str
    meaning: str
    default: str
    example: str
    parse: Callable[[str], Any]
    secret: bool = False


def _text(value: str) -> str:
    if any(ord(c) < 32 for c in value):
        raise ValueError("must not contain control characters")
    return value


def _folder(value: str) -> Path:
    path = Path(value).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ValueError("must name a folder, but there is a file of that name")
    return path


def _host(value: str) -> str:
    if not value or any(c.isspace() or c in "/@" for c in value):
        raise ValueError("must be a host name or an address")
    return value


def _port(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 65535:
        raise ValueError("must be a number from 1 to 65535")
    return int(value)


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if not value:
            return ""
        parts = urlsplit(value)
        try:
            port_is_fine = parts.port is None or parts.port > 0
        except ValueError:
            port_is_fine = False
        if parts.scheme not in schemes:
            raise ValueError("must begin with " + " or ".join(f"{s}://" for s in schemes))
        if not port_is_fine:
            raise ValueError("has a port that is not a number from 1 to 65535")
        return value

    return parse


def _site(value: str) -> str:
    """In lower case and with an A-label, as browsers name it and mail headers can hold it."""
    value = _url("http", "https")(value).rstrip("/")
    if not value:
        return ""
    parts = urlsplit(value)
    if not parts.hostname:
        raise ValueError("must name a host")
    if parts.query or parts.fragment or parts.path or "@" in parts.netloc:
        raise ValueError("must be scheme, host and port only")
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{bracketed(_a_label(parts.hostname))}{port}"


def _a_label(host: str) -> str:
    try:
        found = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        found = ""
    if not _HOST_NAME.fullmatch(found):
        raise ValueError("must name a host that there can be")
    return found


def bracketed(host: str) -> str:
    """A host as it stands in a URL: addresses of IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _smtp(value: str) -> str:
    value = _url("smtp", "smtp+starttls", "smtps")(value)
    if value and not urlsplit(value).hostname:
        raise ValueError("must name a host")
    return value


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        for choice in choices:
            if choice.lower() == value.lower():
                return choice
        raise ValueError("must be one of " + ", ".join(choices))

    return parse


def _rate(value: str) -> str:
    number, _, unit = value.partition("/")
    if not number.isascii() or not number.isdigit() or int(number) < 1:
        raise ValueError("must begin with a whole number greater than 0")
    if unit not in {"s", "sec", "min", "m", "hour", "h", "day", "d"}:
        raise ValueError("must end with /s, /min, /h or /day")
    return value


def _seconds(value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > 3600:
        raise ValueError("must be a number of seconds from 0 to 3600")
    return int(value)


def _networks(value: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        return [ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip()]
    except ValueError as wrong:
        raise ValueError(f"must be addresses or networks, parted by commas ({wrong})") from wrong


def _address(value: str) -> str:
    if value and ("@" not in value or any(ord(c) < 32 for c in value)):
        raise ValueError("must be an e-mail address, or a name and an address in angle brackets")
    return value


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "MAILAPE_DATA",
        kept("the folder of everything MailApe keeps: database, broker, journal, media, keys"),
        "",
        "/var/lib/mailape",
        _folder,
    ),
    Variable("HOST", kept("the address the web server listens on"), "127.0.0.1", "0.0.0.0", _host),  # noqa: S104 - an example
    Variable("PORT", kept("the port the web server listens on"), "8000", "8080", _port),
    Variable(
        "SITE_URL",
        kept("what people type to reach this instance; every link in a mail begins with it"),
        "",
        "https://news.example.org",
        _site,
    ),
    Variable(
        "SECRET_KEY",
        kept("signs sessions; made and kept in the data folder unless DATABASE_URL is set"),
        "",
        "fifty-or-more-random-characters",
        _text,
        secret=True,
    ),
    Variable(
        "DATABASE_URL",
        kept("PostgreSQL instead of the SQLite file in the data folder"),
        "",
        "postgresql://mailape:PASSWORD@127.0.0.1:5432/mailape",
        _url("postgres", "postgresql"),
        secret=True,
    ),
    Variable(
        "REDIS_URL",
        kept("Redis or Valkey instead of the embedded broker"),
        "",
        "redis://127.0.0.1:6379/0",
        _url("redis", "rediss", "unix"),
        secret=True,
    ),
    Variable(
        "SMTP_URL",
        kept("the server that takes the mail; without it mail lands in the Outbox"),
        "",
        "smtp+starttls://user:PASSWORD@mail.example.org:587",
        _smtp,
        secret=True,
    ),
    Variable(
        "DEFAULT_FROM",
        kept("the From of mail that no sender was chosen for; the owner's address unless set"),
        "",
        "News <news@example.org>",
        _address,
    ),
    Variable(
        "SIGNUP",
        kept("whether strangers may open an owner's account: closed or open"),
        "closed",
        "open",
        _one_of("closed", "open"),
    ),
    Variable(
        "API_RATE_USER",
        kept("how often one API token or user may call"),
        "1200/min",
        "600/min",
        _rate,
    ),
    Variable(
        "API_RATE_ANON",
        kept("how often one network may call without a token"),
        "120/min",
        "60/min",
        _rate,
    ),
    Variable(
        "TAKE_BACK",
        kept("for how many seconds a newsletter can be taken back after the click that sends it"),
        "10",
        "30",
        _seconds,
    ),
    Variable(
        "LOG_LEVEL",
        kept("the least level that is logged"),
        "INFO",
        "DEBUG",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    ),
    Variable(
        "LOG_FILE",
        kept("a file that gets the log besides the console"),
        "",
        "/var/log/mailape.log",
        _text,
    ),
    Variable(
        "LOG_FORMAT",
        kept("text for people, json for machines"),
        "text",
        "json",
        _one_of("text", "json"),
    ),
    Variable(
        "TRUSTED_PROXIES",
        kept("the proxies whose X-Forwarded-For is believed"),
        "",
        "127.0.0.1,10.0.0.0/8",
        _networks,
    ),
)


def read_env_file(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of a `.env` file; quotes around a value are taken off.

    Raises WrongVariable for a line that is neither empty, a comment, nor an assignment.
    """
    found: dict[str, str] = {}
    if not path.is_file():
        return found
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().replace("_", "").isalnum():
            raise WrongVariable(".env", f"has a line {number} that is no assignment", "PORT=8080")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = value
    return found


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """Every variable's parsed value by name; the default's where it is unset or empty.

    Raises WrongVariable for the first value that cannot be used.
    """
    values: dict[str, Any] = {}
    for variable in VARIABLES:
        given = environ.get(variable.name, "").strip() or variable.default
        try:
            values[variable.name] = variable.parse(given) if given else _unset(variable)
        except ValueError as fault:
            raise WrongVariable(variable.name, str(fault), variable.example) from fault
    return values


def _unset(variable: Variable) -> Any:
    return [] if variable.parse is _networks else ("" if variable.parse is not _folder else None)


def gather() -> dict[str, str]:
    """The environment over the `.env` file of the working directory."""
    return {**read_env_file(Path.cwd() / ".env"), **os.environ}


@dataclass(frozen=True)
class InForce:
    """One variable as it is in force, for people to see: `value` is empty where it is unset.

    `source`: default, environment or file. Of a secret `value` holds nothing but a URL's scheme,
    because whatever else stands in a mistyped URL may be a part of its password.
    """

    name: str
    meaning: str
    value: str
    source: str
    is_secret: bool


def in_force() -> list[InForce]:
    """Every variable with where it came from: the environment before the `.env` file."""
    in_file = read_env_file(Path.cwd() / ".env")
    return [_in_force(variable, in_file) for variable in VARIABLES]


def _in_force(variable: Variable, in_file: Mapping[str, str]) -> InForce:
    # An empty one counts as unset, and hides what stands in the file: as `gather` has it.
    given, source = os.environ.get(variable.name), "environment"
    if given is None:
        given, source = in_file.get(variable.name, ""), "file"
    given = given.strip()
    shown = given or variable.default
    if variable.secret and given:
        scheme, separator, _ = given.partition("://")
        shown = f"{scheme}://" if separator and variable.name.endswith("_URL") else ""
    return InForce(
        variable.name, variable.meaning, shown, source if given else "default", variable.secret
    )
