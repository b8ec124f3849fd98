"""What the documents say is so: variables, links, commands of make, fixtures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailape.__main__ import COMMANDS
from mailape.config.variables import VARIABLES

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FIXTURE = re.compile(r"^@pytest\.fixture.*\ndef (\w+)\(", re.M)


def rows(document: str) -> dict[str, list[str]]:
    """The rows of a document's tables by their first cell."""
    lines = (ROOT / document).read_text(encoding="utf-8").splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]
    return {first.strip("`"): rest for first, *rest in cells}


def test_every_variable_is_documented_and_every_documented_variable_exists() -> None:
    table = {name: row for name, row in rows("docs/operate/configure.md").items() if name.isupper()}
    assert list(table) == [variable.name for variable in VARIABLES]


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_the_document_says_of_a_variable_what_the_code_says(variable) -> None:
    meaning, default, example = rows("docs/operate/configure.md")[variable.name]
    assert meaning == variable.meaning
    assert default == f"`{variable.default}`" if variable.default else default
    assert example == f"`{variable.example}`"


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_every_example_and_default_would_work(variable) -> None:
    variable.parse(variable.example)
    if variable.default:
        variable.parse(variable.default)


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_every_link_leads_somewhere(path: Path) -> None:
    targets = [target.partition("#")[0] for target in LINK.findall(path.read_text("utf-8"))]
    inside = [target for target in targets if target and "://" not in target]
    missing = [target for target in inside if not (path.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_every_make_command_exists(path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    named = re.findall(r"(?:`|^    |\$ )make ([a-z-]+)", path.read_text("utf-8"), re.M)
    assert set(named) <= set(targets)


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_every_mailape_command_exists(path: Path) -> None:
    named = re.findall(r"(?:`|^    |\$ )mailape ([a-z][a-z-]*)", path.read_text("utf-8"), re.M)
    assert set(named) <= set(COMMANDS)


def test_every_shared_fixture_is_documented() -> None:
    sources = [ROOT / "conftest.py", ROOT / "tests/house/fixtures.py"]
    fixtures = {name for path in sources for name in FIXTURE.findall(path.read_text("utf-8"))}
    assert len(fixtures) > 8
    assert fixtures <= set(rows("docs/develop/testing.md"))
