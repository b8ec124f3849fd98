"""The catalogues of translations: complete, compiled, and with every placeholder in its place."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.translation.template import templatize

from mailape.delivery import markup, merge
from tests import catalogues
from tests.catalogues import PACKAGE, PUBLIC, READERS, WHOLE, Entry

pytestmark = pytest.mark.once
ALL = (*WHOLE, *PUBLIC)
MAILS = PACKAGE / "delivery" / "mails"
TO_READERS = {"confirmation.md", "welcome.md", "footer-links.html", "footer-newsletter.html"}
# Errors that a page shows to a person; the API's own words are English only.
SAID = {"Conflict", "Invalid", "NotAllowed", "NotFound", "TooMany"}
SAYING = ("accounts", "campaigns", "core", "delivery", "lists", "senders", "system", "web")


@pytest.mark.parametrize("language", ALL)
def test_no_string_of_the_catalogue_lacks_its_translation(language: str) -> None:
    assert [one.msgid for one in catalogues.missing(language)] == []


@pytest.mark.parametrize("language", ALL)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    po = catalogues.path(language)
    with po.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for one in catalogues.read(po)[1:]:
        for number, text in one.texts.items():
            key = f"{one.context}\x04{one.msgid}" if one.context else one.msgid
            found = compiled._catalog.get((key, number) if one.plural else key)  # type: ignore[attr-defined]
            assert found == text, one.msgid


@pytest.mark.parametrize("language", ALL)
def test_every_placeholder_is_in_its_translation(language: str) -> None:
    wrong = [text for one in catalogues.read(catalogues.path(language))[1:]
             for text in one.misplaced()]  # fmt: skip
    assert wrong == []


def test_a_placeholder_that_is_lost_or_made_up_is_found() -> None:
    for text in ("Hallo", "Hallo %(other)s", "Hallo %(name)s %s"):
        assert list(Entry("Hello %(name)s", texts={0: text}).misplaced()) == [text]
    assert not list(Entry("Hello %(name)s", texts={0: "%(name)s, hallo"}).misplaced())


def readers_files() -> Iterator[Path]:
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.html")]):
        if str(path.relative_to(PACKAGE)).startswith(READERS):
            yield path


def strings_of(path: Path) -> set[str]:
    """The strings for translation in a file, found without gettext."""
    if path.suffix == ".py":
        tree = ast.parse(path.read_text("utf-8"))
        # By whatever name a file calls gettext: xgettext knows only some of them.
        names = {alias.asname or alias.name: alias.name for node in ast.walk(tree)
                 if isinstance(node, ast.ImportFrom)
                 and node.module == "django.utils.translation" for alias in node.names}  # fmt: skip
        texts = [node.args["pgettext" in names[node.func.id]] for node in calls_in(tree)
                 if "gettext" in names.get(node.func.id, "")]  # fmt: skip
        return {one.value for one in texts if isinstance(one, ast.Constant)}
    source = templatize(path.read_text("utf-8"))
    quoted = re.findall(r"gettext\(u?('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", source)
    bare = re.findall(r"\b_\((\"[^\"]*\"|'[^']*')\)", source)
    return {ast.literal_eval(one) for one in (*quoted, *bare)}


def calls_in(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call of a plain name with something in its brackets."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            yield node


def written(*apps: str) -> Iterator[Path]:
    """Our own files in these apps, or in all of them, but for tests and migrations."""
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.html")]):
        parts = path.relative_to(PACKAGE).parts
        # The design page and the API's are in English only.
        if not {"tests", "migrations", "design", "design.py"} & set(parts) and (
            not apps or parts[0] in apps
        ):
            yield path


@pytest.mark.parametrize("language", WHOLE)
def test_whatever_a_page_says_is_in_the_catalogue(language: str) -> None:
    """Also a string that is newer than the catalogue: then run `make messages`, and translate."""
    there = {one.msgid for one in catalogues.read(catalogues.path(language)) if one.is_done}
    lost = {text: path.name for path in written() for text in strings_of(path) - there}
    assert lost == {}


def test_what_a_person_is_told_can_be_translated() -> None:
    bare = [f"{path.name}:{call.lineno}" for path in written(*SAYING) if path.suffix == ".py"
            for call in calls_in(ast.parse(path.read_text("utf-8"))) if call.func.id in SAID
            and isinstance(call.args[0], ast.Constant | ast.JoinedStr)]  # fmt: skip
    assert bare == []


@pytest.mark.parametrize("language", ALL)
def test_whatever_a_reader_sees_is_in_her_language(language: str) -> None:
    """Also a string that is newer than the catalogue: then run `make messages`, and translate."""
    there = {one.msgid for one in catalogues.read(catalogues.path(language)) if one.is_done}
    files = list(readers_files())
    assert len(files) > 15
    lost = {text: path.name for path in files for text in strings_of(path) if text not in there}
    assert lost == {}


@pytest.mark.parametrize("language", ALL)
def test_the_mails_to_readers_are_in_every_language(language: str) -> None:
    there = {path.name for path in (MAILS / language).iterdir()}
    assert there >= TO_READERS
    if language in WHOLE:
        assert there >= {path.name for path in MAILS.glob("*.md")} - {"test.md"}


@pytest.mark.parametrize(
    "path", sorted(MAILS.glob("??/*")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_a_mail_has_the_same_merge_tags_in_every_language(path: Path) -> None:
    own = markup.mail_file(path.name, path.parent.name)
    english = markup.mail_file(path.name)
    assert merge.names(own) == merge.names(english)
    assert re.findall(r'href="[^"]*"', own) == re.findall(r'href="[^"]*"', english)
