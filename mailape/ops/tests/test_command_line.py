"""The command `mailape` as a person types it: help, version, and faults in one sentence."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from mailape import __main__, __version__
from mailape.ops import management
from tests.house.instances import Instance

Processes = Callable[..., Instance]
COMMANDS = Path(management.__file__).parent / "commands"


@pytest.fixture
def site(processes: Processes) -> Instance:
    """An instance whose database is not made yet."""
    return processes()


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """What was said on standard error, which must be one line from us."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("mailape: ")
    return lines[0].removeprefix("mailape: ")


def test_every_command_of_ours_is_in_the_help_and_no_other() -> None:
    files = {path.stem.replace("_", "-") for path in COMMANDS.glob("*.py")} - {"--init--"}
    assert files == set(__main__.COMMANDS)


@pytest.mark.once
def test_help_lists_our_commands_in_plain_words(site: Instance) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        said = site.run(*words).stdout
        assert all(re.search(rf"^  {name} ", said, re.M) for name in __main__.COMMANDS)
    assert not site.data.exists()  # nothing was started for it


@pytest.mark.once
def test_version(site: Instance) -> None:
    assert site.run("--version").stdout == f"mailape {__version__}\n"


@pytest.mark.once
def test_each_command_has_a_help_of_its_own(site: Instance) -> None:
    assert "--password-stdin" in site.run("user", "add", "--help").stdout
    assert "--workspace" in site.run("token", "add", "-h").stdout
    assert "revoke" in site.run("help", "token").stdout
    assert "--pythonpath" not in site.run("doctor", "--help").stdout


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tokne"], "did you mean `mailape token`"),
        (["nonsense"], "`mailape --help` lists them"),
        (["user"], "required"),
        (["user", "add"], "required: email"),
        (["user", "wash"], "invalid choice"),
        (["token", "add", "a@b.example", "--days", "x"], "number of days"),
        (["doctor", "--jsno"], "unrecognized arguments"),
        (["user", "list"], "run `mailape migrate`"),
    ],
)
def test_a_fault_is_one_sentence_and_an_exit_code(
    site: Instance, words: list[str], said: str
) -> None:
    done = site.run(*words, check=False)
    assert done.returncode != 0
    assert said in sentence(done)
    assert done.stdout == ""


@pytest.mark.once
def test_a_wrong_variable_ends_the_start_with_name_fault_and_example(processes: Processes) -> None:
    done = processes(API_RATE_USER="often").run("user", "list", check=False)
    assert done.returncode == 1
    assert re.match(r"API_RATE_USER must .* Example: API_RATE_USER=", sentence(done))


@pytest.mark.once
def test_a_database_that_is_away_is_said_in_one_sentence(processes: Processes) -> None:
    away = processes(DATABASE_URL="postgresql://x:secret-word@127.0.0.1:1/x", SECRET_KEY="k" * 50)
    for command in (["user", "list"], ["migrate"]):
        done = away.run(*command, check=False)
        assert done.returncode == 1
        assert "cannot be used" in sentence(done)
        assert "secret-word" not in done.stderr


def test_what_a_script_does_from_an_empty_folder_on(site: Instance) -> None:
    site.run("migrate", "-v0")
    given = "correct horse battery\n"
    site.run("user", "add", "ada@example.org", "--password-stdin", given=given)
    again = site.run("user", "add", "ADA@example.org", "--password-stdin", given=given, check=False)
    assert (again.returncode, "already" in sentence(again)) == (1, True)
    token = site.run("token", "add", "ada@example.org")
    assert re.fullmatch(r"ma_[\w-]{43}\n", token.stdout)
    assert token.stderr == ""
    shown = json.loads(site.run("user", "list", "--json").stdout.splitlines()[-1])
    assert [user["email"] for user in shown["users"]] == ["ada@example.org"]


@pytest.mark.once
def test_the_settings_of_an_https_site_are_clean(processes: Processes) -> None:
    site = processes(SITE_URL="https://news.example.org")
    assert "no issues" in site.run("check", "--deploy", "--fail-level", "WARNING").stdout


@pytest.mark.once
def test_the_settings_of_an_http_site_are_told_about(site: Instance) -> None:
    done = site.run("check", "--deploy", "--fail-level", "WARNING", check=False)
    assert done.returncode == 1
    assert "security.W012" in done.stdout
    assert "Some checks failed" in sentence(done)


@pytest.mark.once
def test_djangos_own_commands_stay_reachable(site: Instance) -> None:
    assert "sqlmigrate" in site.run("help", "--commands").stdout.split()
    assert "CREATE TABLE" in site.run("sqlmigrate", "core", "0001").stdout


def test_two_migrations_at_once_are_one_after_the_other(site: Instance) -> None:
    both = [site.start("migrate", "-v0") for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0], site.output()
    assert site.run("migrate", "--check").returncode == 0


def test_the_password_is_kept_as_a_slow_hash(site: Instance) -> None:
    if not settings.EMBEDDED_DATABASE:
        pytest.skip("reads the file of SQLite")
    site.run("migrate", "-v0")
    site.open_account("ada@example.org")
    content = b"".join(path.read_bytes() for path in site.data.glob("mailape.sqlite3*"))
    assert b"correct horse battery" not in content
    assert b"pbkdf2_sha256$" in content
