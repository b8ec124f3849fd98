"""What may break of the instance and its stores: processes, points, databases, disk, clock.

Each is a small named function that breaks something now and says how it heals. It returns False
where there was nothing to break at this moment; it is not counted then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import psycopg
import redis

from chaos.rig import Part
from chaos.scene import Fault, Scene, call_by_name
from tests.house import servers
from tests.house.smtp import Stage

LONGEST = 3600.0
LISTENS_AFTER = 4.0  # seconds: before that a web server has nothing in its hands
# Recovery without a human, in seconds, counted from the healing.
AFTER_KILL, AFTER_POSTGRES, AFTER_REDIS, AFTER_DISK = 35.0, 10.0, 15.0, 30.0
# What lasts for minutes is told by the instance's clock, which is moved on meanwhile.
TEN_MINUTES = 600.0
COMPRESSED = 10.0  # seconds that ten minutes take


def nothing(s: Scene) -> object:
    """Nothing at all."""
    return True


# --- processes -----------------------------------------------------------------------------------


def kill_sender(s: Scene) -> object:
    """kill -9 of a process that sends."""
    return s.rig.kill(s.random.choice(s.rig.senders), back_after=s.random.uniform(0, 1))


def kill_wake(s: Scene) -> object:
    """kill -9 of the process that sends confirmations and sweeps."""
    return s.rig.kill("wake", back_after=s.random.uniform(0, 1))


def kill_web(s: Scene) -> object:
    """kill -9 of the web server, whatever it is in the middle of."""
    return s.rig.kill("web", back_after=s.random.uniform(0, 0.5))


def kill_web_in_import(s: Scene) -> object:
    """kill -9 of the web server while it takes in thousands of lines."""
    web = s.rig.parts["web"]
    if not web.runs or not s.is_pasting() or time.monotonic() - web.started < LISTENS_AFTER:
        return False
    s.after(s.random.uniform(0, 1), lambda: kill_web(s))
    return True


def kill_all(s: Scene) -> object:
    """kill -9 of everything at once."""
    s.blocked()
    found = s.rig.kill_all(back_after=s.random.uniform(0, 1))
    s.healed("kill-all", AFTER_KILL)
    return found


def end_sender(s: Scene) -> object:
    """SIGTERM to a process that sends: it finishes what it has begun."""
    s.rig.terminate(s.random.choice(s.rig.senders))
    return True


def restart_rolling(s: Scene) -> object:
    """SIGTERM to one part after the other, as an upgrade does."""
    for number, name in enumerate(s.rig.parts):
        s.after(number * 0.7, lambda name=name: s.rig.terminate(name))  # type: ignore[misc]
    return True


def stop_sender(s: Scene) -> object:
    """SIGSTOP for twice the lease, then SIGCONT: what it still holds is not its own any more."""
    name = s.random.choice(s.rig.senders)
    if s.rig.parts[name].stopped or not s.rig.parts[name].runs:
        return False
    s.rig.stop(name)
    s.after(2 * s.rig.plan.lease + 1, lambda: s.rig.go_on(name))
    return True


def kill_beat(s: Scene) -> object:
    """kill -9 of beat."""
    return s.rig.kill("beat", back_after=s.random.uniform(0, 2))


def no_beat(s: Scene) -> object:
    """No beat for a while: bells alone have to do."""
    beat = s.rig.parts["beat"]
    if beat.held:
        return False
    beat.held = True
    s.rig.kill("beat")
    s.after(s.random.uniform(8, 15), lambda: setattr(beat, "held", False))
    return True


def no_beat_for_ten_minutes(s: Scene) -> object:
    """No beat for ten minutes by the instance's clock, while mails that were told to come back
    become due: nothing rings for them until the sweep runs again."""
    beat = s.rig.parts["beat"]
    if beat.held:
        return False
    beat.held = True
    s.rig.kill("beat")
    later = s.rig.sink.answer("451 4.3.0 In a minute", at=Stage.RCPT, share=0.2, times=1)
    s.rule(later, COMPRESSED / 3)
    pass_time(s, TEN_MINUTES, within=COMPRESSED)

    def back() -> None:
        beat.held = False
        s.healed("no-beat", AFTER_KILL)

    s.after(COMPRESSED, back)
    return True


def two_beats(s: Scene) -> object:
    """A second beat rings everything twice."""
    if "beat-2" in s.rig.parts:
        return False
    s.rig.parts["beat-2"] = Part("beat-2", ("beat",))

    def end() -> None:
        s.rig.kill("beat-2")
        del s.rig.parts["beat-2"]

    s.after(s.random.uniform(6, 12), end)
    return True


# --- kill at a named point -----------------------------------------------------------------------


def _kill_at(stage: Stage) -> Fault:
    def inflict(s: Scene) -> object:
        s.once(stage, s.rig.kill_client)
        return True

    return inflict


# The mail server kills the process at the other end of the line, so nothing in the product helps.
kill_at_mail = _kill_at(Stage.MAIL)
kill_at_rcpt = _kill_at(Stage.RCPT)
kill_after_354 = _kill_at(Stage.DATA)  # in the middle of the content
kill_after_dot = _kill_at(Stage.DOT)  # the mail is taken and its answer never read
kill_after_answer = _kill_at(Stage.DONE)  # 250 is out: read or not


def poison(s: Scene) -> object:
    """A mail on which every sender dies, until the end of the run: it must be set aside."""
    who = f"p{s.random.randint(0, 99)}"
    s.poisoned.add(who)
    rule = s.rig.sink.call(s.rig.kill_client, at=Stage.RCPT, to=f"{who}@*")  # type: ignore[arg-type]
    s.rule(rule, LONGEST)
    return True


# The process kills itself, at the first time that it gets there or at a later one.
POINTS = (
    "claimed",
    "before-mail",
    "before-dot",
    "after-answer",
    "after-journal",
    "before-commit",
    "in-commit",
    "after-commit",
)
REPLAY = ("in-replay", "replayed")


def kill_at_point(s: Scene) -> object:
    """kill -9 at one of the named points in the code."""
    s.rig.arm(s.random.choice(POINTS), f"kill {s.random.randint(1, 6)}")
    return True


def kill_in_replay(s: Scene) -> object:
    """A sender dies, and whoever replays its journal dies of it, too."""
    s.rig.arm(s.random.choice(REPLAY), "kill")
    return kill_sender(s)


def stop_at_point(s: Scene) -> object:
    """SIGSTOP at a named point, for twice the lease: the fence must hold right there."""
    point = s.random.choice(POINTS)
    s.rig.arm(point, f"stop {s.random.randint(1, 6)}")
    s.after(2 * s.rig.plan.lease + 2, s.rig.go_on_all)
    return True


# --- stores --------------------------------------------------------------------------------------


def kill_postgres(s: Scene) -> object:
    """PostgreSQL stopped at once and started after a while."""
    return _stop_postgres(s, signal.SIGQUIT)


def kill_postgres_hard(s: Scene) -> object:
    """kill -9 of PostgreSQL."""
    return _stop_postgres(s, signal.SIGKILL)


def _stop_postgres(s: Scene, number: signal.Signals) -> object:
    server = s.rig.postgres
    if server is None or server.process is None:
        return False
    s.blocked()
    server.stop(number)

    def back() -> None:
        assert server is not None
        server.start()
        servers.wait_for(s.rig.database_url)
        s.healed("postgres", AFTER_POSTGRES)

    s.after(s.random.uniform(0.5, 4), back)
    return True


def kill_backends(s: Scene) -> object:
    """PostgreSQL ends the connections of the instance."""
    with psycopg.connect(s.rig.database_url, autocommit=True, connect_timeout=3) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5"
        )
    return True


def read_only(s: Scene) -> object:
    """The database takes no writes for a while."""
    s.blocked()
    _alter(s, "on")

    def back() -> None:
        _alter(s, "off")
        s.healed("read-only", AFTER_POSTGRES)

    s.after(s.random.uniform(1, 4), back)
    return True


def _alter(s: Scene, value: str) -> None:
    with psycopg.connect(s.rig.database_url, autocommit=True, connect_timeout=3) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        connection.execute("SELECT pg_reload_conf()")


def cut_line(s: Scene) -> object:
    """Every connection to the database is cut."""
    assert s.rig.proxy is not None
    s.rig.proxy.cut()
    return True


def cut_at_commit(s: Scene) -> object:
    """The line is cut when a COMMIT was sent and before its answer is there."""
    assert s.rig.proxy is not None
    s.rig.proxy.cut_after(b"COMMIT")
    return True


def stall_line(s: Scene) -> object:
    """The line to the database goes dead for a while: nothing comes, nothing is refused."""
    proxy = s.rig.proxy
    assert proxy is not None
    s.blocked()
    proxy.stall()

    def back() -> None:
        proxy.go_on()
        s.healed("line", AFTER_POSTGRES)

    s.after(s.random.uniform(1, 6), back)
    return True


def kill_redis(s: Scene) -> object:
    """kill -9 of Redis; it comes back empty after a while."""
    return _away(s, s.random.uniform(0.5, 6))


def no_redis_for_a_minute(s: Scene) -> object:
    """kill -9 of Redis, which comes back empty after a whole minute."""
    return _away(s, 60.0)


def _away(s: Scene, seconds: float) -> object:
    server = s.rig.redis
    if server is None or server.process is None:
        return False
    server.stop(signal.SIGKILL)

    def back() -> None:
        server.start()
        s.healed("redis", AFTER_REDIS)

    s.after(seconds, back)
    return True


def flush_redis(s: Scene) -> object:
    """FLUSHALL: every bell that waits is gone, and so is the cache."""
    with contextlib.suppress(redis.RedisError):
        redis.Redis.from_url(s.rig.variables["REDIS_URL"], socket_timeout=2).flushall()
        s.healed("flush", AFTER_REDIS)
        return True
    return False


def stop_redis(s: Scene) -> object:
    """SIGSTOP to Redis: it is there and says nothing."""
    server = s.rig.redis
    if server is None or server.process is None:
        return False
    pid = server.process.pid
    os.kill(pid, signal.SIGSTOP)

    def back() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        s.healed("redis", AFTER_REDIS)

    s.after(s.random.uniform(2, 6), back)
    return True


# --- disk, journal, clock ------------------------------------------------------------------------


def fill_disk(s: Scene) -> object:
    """No space left under the data folder, for a while."""
    ballast = s.rig.instance.data / "ballast"
    if ballast.exists():
        return False
    s.blocked()
    _fill(ballast)

    def back() -> None:
        ballast.unlink(missing_ok=True)
        s.healed("disk", AFTER_DISK)

    s.after(s.random.uniform(1, 4), back)
    return True


def fill_database_disk(s: Scene) -> object:
    """No space left under PostgreSQL's data, for a while. Where it needs more for its log it ends
    by itself; then it is started again once there is room."""
    server, folder = s.rig.postgres, s.rig.postgres_folder
    if server is None or folder is None or (folder / "ballast").exists():
        return False
    s.blocked()
    _fill(folder / "ballast")

    def back() -> None:
        (folder / "ballast").unlink(missing_ok=True)
        if server.process is not None and server.process.poll() is not None:
            server.stop()
            server.start()
        servers.wait_for(s.rig.database_url)
        s.healed("database-disk", AFTER_DISK)

    s.after(s.random.uniform(2, 8), back)
    return True


def _fill(ballast: Path) -> None:
    for piece in (bytes(65536), b"\0"):
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(piece)


def tear_journal(s: Scene) -> object:
    """A sender dies in the middle of a line of its journal."""
    name = s.random.choice(s.rig.senders)
    part = s.rig.parts[name]
    if not part.runs:
        return False
    pid = part.pid
    s.rig.kill(name, back_after=0.5)
    found = list(s.rig.instance.data.rglob(f"{pid}-*.journal"))
    for path in found:
        _tear(path, s.random.randint(1, 30), s.random.randbytes(s.random.randint(0, 8)))
    return bool(found)


def _tear(path: Path, length: int, noise: bytes) -> None:
    """Adds the beginning of another line, as a write that was cut off leaves it."""
    with path.open("ab") as file:
        file.write(b'A 1 12345 {"fate":"SENT","code":250}'[:length] + noise)


def pass_time(s: Scene, seconds: float, *, within: float) -> None:
    """Moves the clock on by so much, in steps of half a second, `within` so many seconds."""
    steps = round(within * 2)
    for number in range(1, steps + 1):
        s.after(number / 2, lambda: s.rig.move_clock(seconds / steps))


def move_clock(s: Scene) -> object:
    """The machine's clock is set: an hour or a day on, or an hour back."""
    s.rig.move_clock(s.random.choice([3600, -3600, 86400, 7, -7]))
    return True


call_by_name(globals())
