"""The command `mailape`: our commands in plain words; Django's own stay reachable behind them.

Whatever goes wrong ends as one sentence on standard error and an exit code that is not 0.
"""

from __future__ import annotations

import difflib
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from mailape import __version__
from mailape.core import processes

if TYPE_CHECKING:
    from django.core.management.base import BaseCommand

# In the order that `mailape --help` shows them; a test holds this and the commands together.
COMMANDS = {
    "up": "web, workers and beat in this terminal: a whole instance",
    "web": "the web server alone, for production",
    "worker": "one worker, for production: --queues wake,send,bulk",
    "beat": "the clock of the sweeps, for production",
    "migrate": "brings the database to this version",
    "check": "Django's checks of the settings: --deploy for those of production",
    "doctor": "looks at settings, database, broker, SMTP, time and disk, and says what to do",
    "recount": "compares the kept numbers of every list with its subscriptions and mends them",
    "hold": "nothing is sent any more, of the whole instance",
    "release": "sending that was held goes on",
    "user": "people who work here: add, list, password",
    "token": "API tokens: add, list, revoke",
    "setting": "what is on or off for the whole instance",
    "send-test": "sends one mail the way that all go, and says what the server answered",
}
_HELP = """\
MailApe {version}: newsletters and mailing lists.

  mailape COMMAND [--help]

{commands}

Variables come from the environment and from .env in this folder; `mailape doctor` looks at them.
Django's own commands work too: `mailape help --commands` lists all.
"""


def main() -> None:
    """Runs the command that the command line names."""
    # Before anything slow: a parent that dies meanwhile must take this process with it.
    processes.die_with_parent()
    words = sys.argv[1:] or ["--help"]
    if words in (["--help"], ["-h"], ["help"]):
        _print(_help())
    elif words in (["--version"], ["version"]):
        _print(f"mailape {__version__}")
    else:
        _run(words)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, text in COMMANDS.items()]
    return _HELP.format(version=__version__, commands="\n".join(lines)).rstrip()


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _run(words: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailape.config.settings")
    if words[0] == "help" and words[1:] and words[1] in COMMANDS:
        words = [*words[1:], "--help"]
    name, *rest = words
    try:
        if name in COMMANDS:
            _ours(name, rest)
        else:
            _djangos(words)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read us has enough; without this Python would complain once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _ours(name: str, words: list[str]) -> None:
    import django
    from django.core.management import load_command_class
    from django.db import connections

    try:
        django.setup()
        command = load_command_class("mailape.ops", name.replace("-", "_"))
        _execute(command, name, words)
    except Exception as fault:  # everything that is no wish to exit ends as one sentence
        if "--traceback" in words:
            raise
        _end(*_in_one_sentence(name, fault))
    finally:
        connections.close_all()


def _execute(command: BaseCommand, name: str, words: list[str]) -> None:
    # The parser's own way of refusing is two lines; asked like this it raises CommandError.
    parser = command.create_parser("mailape", name)
    options: dict[str, Any] = vars(parser.parse_args(words))
    command.execute(*options.pop("args", ()), **options)


def _in_one_sentence(name: str, fault: Exception) -> tuple[str, int]:
    """What to tell a person about this fault, and the exit code."""
    from django.core.management.base import CommandError
    from django.db.utils import InterfaceError, OperationalError, ProgrammingError

    from mailape.core.errors import MailApeError

    if isinstance(fault, CommandError):
        return str(fault).removeprefix("Error: "), fault.returncode
    if isinstance(fault, MailApeError):
        return str(fault), 1
    text = str(fault).strip().partition("\n")[0]
    if isinstance(fault, (OperationalError, ProgrammingError, InterfaceError)):
        if "no such table" in text or "does not exist" in text or "no such column" in text:
            return "The database is not ready for this version: run `mailape migrate`.", 1
        return f"The database cannot be used ({text}): `mailape doctor` says more.", 1
    return f"{name} broke ({type(fault).__name__}: {text}): --traceback shows where.", 1


def _djangos(words: list[str]) -> None:
    from django.core.management import execute_from_command_line, get_commands

    name = words[0]
    if name != "help" and name not in get_commands():
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean `mailape {near[0]}`?" if near else "`mailape --help` lists them."
        _end(f"There is no command {name!r}: {hint}", 1)
    execute_from_command_line(["mailape", *words])


def _end(text: str, code: int) -> NoReturn:
    sys.stderr.write(f"mailape: {' '.join(text.split())}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
