"""The supervisor's own rules: when a part is started again, who may have the data folder."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailape.ops import port, supervise
from mailape.ops.supervise import Folder, FolderTaken, Part
from tests.house.instances import Instance

COLLECTS = "import django; django.setup(); from mailape.ops import static; print(static.collect())"
HOLDS_THE_FOLDER = """
import sys, time
from pathlib import Path
from mailape.ops.supervise import Folder
folder = Folder(Path(sys.argv[1]))
folder.take()
folder.say(sys.argv[2])
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "data")
    made.take()
    return made


class Unable(Exception):
    """Raised by a part that may not start."""


def test_the_more_often_a_part_dies_early_the_later_it_is_started() -> None:
    part = Part("web", "web")
    assert [part._delay(0.1) for _ in range(9)] == [0, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_long_life_is_forgiven_at_once() -> None:
    part = Part("web", "web")
    for _ in range(5):
        part._delay(0.1)
    assert part._delay(supervise.LONG_LIFE + 1) == 0
    assert part._delay(0.1) == 0


def test_a_part_that_may_not_start_at_first_ends_it_all(folder: Folder) -> None:
    def refuse() -> None:
        raise Unable

    with pytest.raises(Unable):
        Part("web", "web", may_start=refuse).look(folder)


def test_one_that_may_not_start_again_is_tried_later(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([None, Unable("the port is taken")])

    def ask() -> None:
        if answer := next(answers):
            raise answer

    part = Part("help", "--help", may_start=ask)
    part.look(folder)
    assert part.process is not None
    part.process.wait()
    part.look(folder)
    part.look(folder)
    assert part.process is None
    assert "help ended (exit code 0)" in caplog.text
    assert "cannot be started: the port is taken" in caplog.text


def test_the_folder_is_one_supervisors(folder: Folder) -> None:
    with pytest.raises(FolderTaken, match="stop it first"):
        Folder(folder.data).take(running=0.2)


@pytest.mark.once
@pytest.mark.processes
def test_one_that_is_stopping_is_waited_for_and_one_that_was_killed_leaves_nothing(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", HOLDS_THE_FOLDER, str(tmp_path), "stopping"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        started = time.monotonic()
        with pytest.raises(FolderTaken):
            Folder(tmp_path).take(running=0.1, dying=1.0)
        assert time.monotonic() - started > 0.9
        other.kill()
    Folder(tmp_path).take(running=1)


@pytest.mark.once
@pytest.mark.processes
def test_the_folder_is_taken_until_the_last_child_is_gone(folder: Folder) -> None:
    part = Part("beat", "beat")
    part.look(folder)
    assert part.process is not None
    folder._lock.close()
    with pytest.raises(FolderTaken):
        Folder(folder.data).take(running=0.3)
    part.process.kill()
    part.process.wait()
    Folder(folder.data).take(running=1)


def test_a_port_is_had_once_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        with pytest.raises(port.NotToBeHad, match=f"Port {number} on localhost is taken"):
            port.demand("localhost", number)
        assert port.answers("127.0.0.1", number)
    assert port.demand("localhost", number) == "127.0.0.1"
    assert not port.answers("127.0.0.1", number)


def test_a_port_that_is_shared_by_option_is_taken_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(port, "PATIENCE", 0.1)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        with pytest.raises(port.NotToBeHad):
            port.demand("127.0.0.1", server.getsockname()[1])


def test_a_name_that_nobody_knows_is_one_sentence() -> None:
    with pytest.raises(port.NotToBeHad, match=r"^HOST no-such-name.invalid is no address"):
        port.demand("no-such-name.invalid", 8000)


@pytest.mark.once
@pytest.mark.processes
def test_two_that_start_at_once_collect_static_files_once(
    processes: Callable[..., Instance],
) -> None:
    site = processes(DJANGO_SETTINGS_MODULE="mailape.config.settings")
    both = [site.start_program(sys.executable, "-c", COLLECTS) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert sorted(site.output().split()).count("True") == 1
    assert (site.data / "static/staticfiles.json").is_file()
