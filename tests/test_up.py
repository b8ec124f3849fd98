"""`mailape up`: starts everything, restarts what dies, and takes everything along when it ends."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from mailape.ops.tests.probe import WITH_PROBES, ring, wait_for
from tests.house import environment
from tests.house.instances import Instance, instance

pytestmark = pytest.mark.processes
Processes = Callable[..., Instance]


@pytest.fixture
def site(processes: Processes) -> Iterator[Instance]:
    """An instance that `mailape up` has started."""
    made = processes(**WITH_PROBES)
    made.migrate()
    made.up()
    yield made
    assert "Traceback" not in made.output()


@pytest.fixture(scope="module")
def shared() -> Iterator[Instance]:
    """One that several tests look at and none changes."""
    # The instances of single tests take turns with two numbers of Redis; this one outlives them.
    url = os.environ["REDIS_URL"]
    own = {"REDIS_URL": environment.redis_number(url, 15)} if url else {}
    with instance(**own) as made:
        made.up()
        yield made
        assert made.stop(made.started[0]) == 0
        made.wait_gone(within=1)


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _until(condition: Callable[[], object], within: float = 20) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def _get(url: str) -> int:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return int(answer.status)


@pytest.mark.once
def test_it_says_where_everything_is_and_how_to_begin(shared: Instance) -> None:
    said = shared.wait_said("Ctrl-C")
    assert f"Address   {shared.url}" in said
    assert f"{shared.url}/setup/" in said
    assert str(shared.data) in said
    assert "Outbox" in said


@pytest.mark.once
def test_both_names_of_this_machine_are_served(shared: Instance) -> None:
    assert _get(f"http://127.0.0.1:{shared.port}/healthz") == 200
    assert _get(f"http://localhost:{shared.port}/readyz") == 200


@pytest.mark.once
def test_a_claimed_instance_with_a_mail_server_prints_no_link_and_no_outbox(
    processes: Processes,
) -> None:
    site = processes(SMTP_URL="smtp://127.0.0.1:2525")
    site.migrate()
    site.open_account(admin=True)
    site.up()
    said = site.wait_said("Ctrl-C")
    assert "/setup/" not in said
    assert "Outbox" not in said
    assert "goes out through 127.0.0.1" in said


def test_ctrl_c_reaches_it_alone_and_the_task_under_way_is_finished(
    site: Instance, tmp_path: Path
) -> None:
    file = tmp_path / "marks"
    ring(site, "probe.mark", "send", [str(file), 1, 2.0])
    _until((tmp_path / "marks.begun").exists)
    leader = site.started[0].pid
    assert [pid for pid in site.pids() if os.getpgid(pid) == leader] == [leader]
    os.killpg(leader, signal.SIGINT)  # as a terminal does
    assert site.started[0].wait(20) == 0
    site.wait_gone(within=1)
    assert list(wait_for(1, file, within=0)) == [1]


def test_killed_it_takes_everything_along_and_starts_again(site: Instance) -> None:
    key = (site.data / "secret-key").read_text() if settings.EMBEDDED_DATABASE else ""
    stamp = (site.data / "static.stamp").stat().st_mtime_ns
    assert len(site.pids()) >= 6  # itself, web and its worker, two workers, beat
    site.started[0].kill()
    started = time.monotonic()
    site.wait_gone(within=10)
    print(f"all gone after {time.monotonic() - started:.2f} s")
    site.up()
    if key:
        assert (site.data / "secret-key").read_text() == key
    assert (site.data / "static.stamp").stat().st_mtime_ns == stamp, "collected once is enough"


@pytest.mark.once
def test_a_start_right_after_a_kill_waits_for_what_is_dying(site: Instance) -> None:
    site.started[0].kill()
    again = site.start("up")  # the old server may answer for a moment: heed the new one's words
    _until(lambda: site.output().count("Ctrl-C stops") == 2)
    assert site.stop(again) == 0
    site.wait_gone(within=1)


@pytest.mark.once
def test_a_second_one_on_the_same_folder_is_refused_in_one_sentence(shared: Instance) -> None:
    said = shared.run("up", check=False)
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "Another `mailape up` runs" in said.stderr
    assert shared.status("/readyz") == 200


@pytest.mark.once
def test_a_start_while_the_one_before_is_stopping_waits_for_it(
    site: Instance, tmp_path: Path
) -> None:
    file = tmp_path / "marks"
    ring(site, "probe.mark", "send", [str(file), 1, 3.0])
    _until((tmp_path / "marks.begun").exists)
    site.started[0].terminate()
    time.sleep(0.3)
    again = site.start("up")
    assert site.started[0].wait(20) == 0
    site.wait_ready(process=again)
    assert list(wait_for(1, file, within=0)) == [1]


@pytest.mark.once
def test_a_port_that_is_taken_is_one_sentence_and_no_loop(processes: Processes) -> None:
    site = processes()
    with socket.create_server(("127.0.0.1", site.port)):
        for command in ("up", "web"):
            said = site.run(command, check=False, within=20)
            assert said.returncode == 1
            assert said.stderr == (
                f"mailape: Port {site.port} on 127.0.0.1 is taken by another program; stop it or"
                " set PORT.\n"
            )
    site.wait_gone(within=1)


@pytest.mark.once
def test_a_host_that_is_not_here_is_one_sentence(processes: Processes) -> None:
    said = processes(HOST="203.0.113.7").run("up", check=False, within=20)
    assert said.returncode == 1
    assert "Cannot listen on 203.0.113.7" in said.stderr
    assert said.stderr.count("\n") == 1


def test_what_dies_is_started_again(site: Instance) -> None:
    leader = site.started[0].pid
    for words in (
        ["worker", "--queues", "send,bulk"],
        ["worker", "--queues", "wake"],
        ["beat"],
        ["web"],
    ):
        _kill_and_wait_for_its_return(site, words, lambda pid: _parent(pid) == leader)
    _kill_and_wait_for_its_return(site, ["web"], lambda pid: _parent(pid) != leader)
    _until(lambda: site.status("/readyz") == 200)
    assert site.stop(site.started[0]) == 0
    site.wait_gone(within=1)


def _kill_and_wait_for_its_return(
    site: Instance, words: list[str], chosen: Callable[[int], bool]
) -> None:
    def found() -> list[int]:
        mine = [pid for pid in site.pids() if _words(pid)[-len(words) :] == words]
        return [pid for pid in mine if chosen(pid)]

    _until(found)  # the web server's child comes a little after its leader
    (victim,) = found()
    os.kill(victim, signal.SIGKILL)
    _until(lambda: victim not in site.pids())
    _until(found, within=15)


def test_a_stopped_worker_makes_it_not_ready(processes: Processes) -> None:
    site = processes()
    site.migrate()
    site.start("web")
    _until(lambda: site.status("/healthz") == 200)
    assert site.status("/readyz") == 503
    worker = site.start("worker")
    site.wait_ready()
    assert site.stop(worker) == 0
    assert site.status("/readyz") == 503


@pytest.mark.once
def test_ctrl_c_ends_a_web_server_that_runs_alone(processes: Processes) -> None:
    site = processes()
    site.migrate()
    web = site.start("web")
    _until(lambda: site.status("/healthz") == 200)
    # granian's worker must not hear it too: its end would be taken for a crash.
    assert [pid for pid in site.pids() if os.getpgid(pid) == web.pid] == [web.pid]
    started = time.monotonic()
    os.killpg(web.pid, signal.SIGINT)
    assert web.wait(20) == 0
    assert time.monotonic() - started < 8
    site.wait_gone(within=1)
    # Nobody looks for a process that ended in order: its sign of life went with it.
    code = "from mailape.core.models import WorkerSign; print(WorkerSign.objects.count())"
    assert site.run("shell", "-c", code).stdout.split()[-1] == "0"


def test_more_workers_share_the_sending(processes: Processes, tmp_path: Path) -> None:
    site = processes(**WITH_PROBES)
    site.up("--workers", "2")
    file = tmp_path / "marks"
    started = time.monotonic()
    ring(site, "probe.mark", "send", *([str(file), number, 1.0] for number in range(4)))
    assert sorted(wait_for(4, file, within=20)) == [0, 1, 2, 3]
    assert time.monotonic() - started < 3.9


@pytest.mark.skipif(not settings.EMBEDDED_BROKER, reason="Redis gives back after a minute")
def test_a_task_under_way_when_everything_is_killed_is_done_after_the_restart(
    site: Instance, tmp_path: Path
) -> None:
    file = tmp_path / "marks"
    ring(site, "probe.mark", "send", [str(file), 1, 1.5], [str(file), 2])
    _until((tmp_path / "marks.begun").exists)
    site.kill()
    started = time.monotonic()
    site.start("up")
    assert sorted(wait_for(2, file, within=20)) == [1, 2]
    assert time.monotonic() - started < 15
