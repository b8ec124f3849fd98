"""The catalogues of translations: made by `make messages`, checked by a test without gettext.

German has every string of the interface. French and Spanish have what readers see: the public
pages, the small parts they are made of, and what the deeds behind them say.

    python -m tests.catalogues            make them anew (needs GNU gettext) and say what is missing
    python -m tests.catalogues --missing  print what has no translation, as a .po file
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mailape"
WHOLE = ("de",)
PUBLIC = ("fr", "es")
# Where a string that readers see comes from. What begins with one of these is theirs.
READERS = (
    "web/templates/web/public/",
    "web/templates/web/quiet.html",
    "web/templates/web/base.html",
    "web/templates/web/errors/",
    "web/templates/web/parts/fault.html",
    "web/templates/web/parts/field.html",
    "web/templates/web/parts/theme.html",
    "web/errors.py",
    "web/views/public.py",
    "web/views/links.py",
    "web/views/status.py",
    "core/address.py",
    "core/limits.py",
    "core/links.py",
    "lists/subscribe.py",
)
_PLACES = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\{ \w*[._]\w* \}\}|\{\w+\}")


@dataclass
class Entry:
    """One string of a catalogue with its translations, one for each plural form."""

    msgid: str = ""
    context: str = ""
    plural: str = ""
    texts: dict[int, str] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)

    @property
    def is_for_readers(self) -> bool:
        return any(place.startswith(READERS) for place in self.places)

    @property
    def is_done(self) -> bool:
        return bool(self.texts) and all(self.texts.values()) and "fuzzy" not in self.flags

    def misplaced(self) -> Iterator[str]:
        """Translations that lack a placeholder of the original, or have one that it has not."""
        for text in self.texts.values():
            found = set(_PLACES.findall(text))
            known = {*_PLACES.findall(self.msgid), *_PLACES.findall(self.plural)}
            # A plural form may leave the number out: "one person" needs none.
            lost = known - found if not self.plural else set()
            if text and (found - known or lost):
                yield text


def read(path: Path) -> list[Entry]:
    """The entries of a .po file, the header first; obsolete ones are left out."""
    entries: list[Entry] = []
    one, last = Entry(), ("", 0)
    for line in [*path.read_text("utf-8").splitlines(), ""]:
        if not line.strip():
            if one.texts:
                entries.append(one)
            one, last = Entry(), ("", 0)
        elif line.startswith("#:"):
            one.places += [place.rpartition(":")[0] or place for place in line[2:].split()]
        elif line.startswith("#,"):
            one.flags |= {flag.strip() for flag in line[2:].split(",")}
        elif not line.startswith("#"):
            last = _add(one, line, last)
    return entries


def _add(one: Entry, line: str, last: tuple[str, int]) -> tuple[str, int]:
    keyword, _space, quoted = line.partition(" ") if line[0] != '"' else ("", "", line)
    if keyword:
        number = re.search(r"\[(\d)\]", keyword)
        last = (keyword.partition("[")[0], int(number[1]) if number else 0)
    text = ast.literal_eval(quoted)
    name, number_of = last
    if name == "msgstr":
        one.texts[number_of] = one.texts.get(number_of, "") + text
    else:
        attribute = {"msgid": "msgid", "msgctxt": "context", "msgid_plural": "plural"}[name]
        setattr(one, attribute, getattr(one, attribute) + text)
    return last


def path(language: str) -> Path:
    """The .po file of this language."""
    return PACKAGE / "locale" / language / "LC_MESSAGES" / "django.po"


def missing(language: str) -> list[Entry]:
    """What has no translation in this language and should have one."""
    return [one for one in read(path(language))[1:] if not one.is_done]


def make() -> None:
    """Gathers every string with xgettext, keeps what each language needs, compiles."""
    languages = [word for one in (*WHOLE, *PUBLIC) for word in ("-l", one)]
    for one in (*WHOLE, *PUBLIC):
        path(one).parent.mkdir(parents=True, exist_ok=True)
    _gather(languages)
    for one in (*WHOLE, *PUBLIC):
        _tidy(path(one))
        if one in PUBLIC:
            _keep(path(one), lambda entry: entry.is_for_readers)
        subprocess.run(
            ["msgfmt", "--check-format", "-o", path(one).with_suffix(".mo"), path(one)], check=True
        )
        print(f"{one}: {len(read(path(one))) - 1} strings, {len(missing(one))} without translation")


def _gather(languages: list[str]) -> None:
    import django
    from django.core.management import call_command
    from django.core.management.commands import makemessages

    class Command(makemessages.Command):
        # Our own names: `later` for gettext_lazy where `_` is taken, `kept` for gettext_noop.
        xgettext_options = [
            *makemessages.Command.xgettext_options,
            "--keyword=later",
            "--keyword=kept",
        ]
        msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]

    django.setup()
    os.chdir(PACKAGE)
    call_command(
        Command(), *languages, "--no-obsolete", "--add-location=file", "--no-wrap",
        "--ignore=tests", "--ignore=design*", verbosity=0,
    )  # fmt: skip


def _tidy(po: Path) -> None:
    """Leaves out of the header what changes with each run and tells nobody anything."""
    text = re.sub(r'"(POT-Creation-Date|Report-Msgid-Bugs-To):.*\n', "", po.read_text("utf-8"))
    po.write_text(text, "utf-8")


def _keep(po: Path, wanted) -> None:
    """Leaves out of a .po file the entries that are not wanted."""
    blocks = po.read_text("utf-8").split("\n\n")
    kept = [blocks[0]]
    for block in blocks[1:]:
        po.with_suffix(".one").write_text(block + "\n", "utf-8")
        if any(wanted(entry) for entry in read(po.with_suffix(".one"))):
            kept.append(block.strip("\n"))
    po.with_suffix(".one").unlink()
    po.write_text("\n\n".join(kept) + "\n", "utf-8")


def _shown(entries: Iterable[Entry]) -> str:
    return "\n".join(f"{one.places[:1]} {one.msgid!r} {one.plural!r}" for one in entries)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailape.config.settings")
    if "--missing" in sys.argv:
        for language in (*WHOLE, *PUBLIC):
            print(language, _shown(missing(language)), sep="\n")
    else:
        make()
