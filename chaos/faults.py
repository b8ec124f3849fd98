"""What may break, each as a small named function: it breaks something now and says how it heals.

A fault returns False where there was nothing to break at this moment; it is not counted then.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import redis

from chaos.rig import Part
from chaos.scene import Scene
from tests.house import servers
from tests.house.smtp import Stage

Fault = Callable[[Scene], object]

LONGEST = 3600.0

# Recovery without a human, in seconds, counted from the healing.
AFTER_KILL, AFTER_POSTGRES, AFTER_REDIS, AFTER_RELAY, AFTER_DISK = 35.0, 10.0, 15.0, 60.0, 30.0


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
    to = f"p{s.random.randint(0, 99)}@*"
    s.rule(s.rig.sink.call(s.rig.kill_client, at=Stage.RCPT, to=to), LONGEST)  # type: ignore[arg-type]
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
    server = s.rig.redis
    if server is None or server.process is None:
        return False
    server.stop(signal.SIGKILL)

    def back() -> None:
        server.start()
        s.healed("redis", AFTER_REDIS)

    s.after(s.random.uniform(0.5, 6), back)
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
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(65536))
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"\0")

    def back() -> None:
        ballast.unlink(missing_ok=True)
        s.healed("disk", AFTER_DISK)

    s.after(s.random.uniform(1, 4), back)
    return True


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


def move_clock(s: Scene) -> object:
    """The machine's clock is set: an hour or a day on, or an hour back."""
    s.rig.move_clock(s.random.choice([3600, -3600, 86400, 7, -7]))
    return True


# --- the mail server -----------------------------------------------------------------------------


def _answers(text: str, at: Stage, *, share: float = 1.0, longest: float = 4.0) -> Fault:
    def inflict(s: Scene) -> object:
        rule = s.rig.sink.answer(text, at=at, share=share)
        seconds = s.random.uniform(0.5, longest)
        s.rule(rule, seconds)
        if share == 1.0:
            s.after(seconds, lambda: s.healed(text[:12], AFTER_RELAY))
        return True

    return inflict


def _some(text: str, at: Stage) -> Fault:
    """For one recipient in so many, chosen anew each time."""

    def inflict(s: Scene) -> object:
        to = f"*[{s.random.randint(0, 9)}]@d{s.random.randint(0, 6)}.example"
        s.rule(s.rig.sink.answer(text, at=at, to=to), s.random.uniform(2, 8))
        return True

    return inflict


def _cuts(at: Stage) -> Fault:
    """The next mail at this stage finds the line cut."""

    def inflict(s: Scene) -> object:
        s.once(at, lambda session: session.cut())
        return True

    return inflict


def relay_away(s: Scene) -> object:
    """The mail server refuses connections, and cuts those that are open."""
    s.blocked()
    s.rig.sink.stop()

    def back() -> None:
        s.rig.sink.start()
        s.healed("relay", AFTER_RELAY)

    s.after(s.random.uniform(0.5, 4), back)
    return True


def relay_silent(s: Scene) -> object:
    """The mail server says nothing any more, at any stage, for a while."""
    seconds = s.random.uniform(2, 6)
    stages = (Stage.CONNECT, Stage.MAIL, Stage.RCPT, Stage.DOT)
    for rule in [s.rig.sink.delay(seconds, at=stage) for stage in stages]:
        s.rule(rule, seconds)
    return True


def relay_slow(s: Scene) -> object:
    """A tarpit: its answers come byte by byte."""
    s.rig.sink.pause = 0.02
    s.rig.sink.bytes_at_once = s.random.randint(1, 3)
    s.after(s.random.uniform(2, 5), lambda: setattr(s.rig.sink, "bytes_at_once", 0))
    return True


def relay_in_pieces(s: Scene) -> object:
    """Its answers are cut at odd bytes."""
    s.rig.sink.pause = 0.0
    s.rig.sink.bytes_at_once = s.random.randint(1, 7)
    s.after(s.random.uniform(2, 5), lambda: setattr(s.rig.sink, "bytes_at_once", 0))
    return True


def relay_without_pipelining(s: Scene) -> object:
    """New connections are offered nothing but the oldest way."""
    before = s.rig.sink.extensions
    s.rig.sink.extensions = ()
    s.after(s.random.uniform(2, 6), lambda: setattr(s.rig.sink, "extensions", before))
    s.once(Stage.MAIL, lambda session: session.cut())
    return True


def greylist(s: Scene) -> object:
    """Three in ten recipients are told to come back, once each."""
    rule = s.rig.sink.answer("451 4.7.1 Greylisted", share=0.3, times=1)
    s.rule(rule, s.random.uniform(3, 8))
    return True


greets_554 = _answers("554 5.3.2 Not now, not ever", Stage.CONNECT)
greets_421 = _answers("421 4.3.2 Too busy", Stage.CONNECT)
refuses_ehlo = _answers("550 5.7.1 Not you", Stage.EHLO)
later_ehlo = _answers("451 4.3.0 Later", Stage.EHLO)
refuses_sender = _answers("550 5.7.1 Sender refused", Stage.MAIL, longest=1.0)
later_sender = _answers("451 4.3.0 Try later", Stage.MAIL)
closes_at_mail = _answers("421 4.3.0 Closing", Stage.MAIL)
storage_at_mail = _answers("452 4.3.1 Insufficient storage", Stage.MAIL)
garbage_at_ehlo = _answers("hello yourself", Stage.EHLO, longest=2.0)

later_rcpt = _some("451 4.2.1 Mailbox busy", Stage.RCPT)
refused_rcpt = _some("550 5.1.1 No such user", Stage.RCPT)
later_data = _some("451 4.3.0 Not now", Stage.DATA)
refused_data = _some("554 5.6.0 No", Stage.DATA)
later_dot = _some("451 4.3.0 Try again", Stage.DOT)
refused_dot = _some("554 5.7.1 Spam", Stage.DOT)
closes_at_rcpt = _some("421 4.7.0 Too many", Stage.RCPT)
closes_at_dot = _some("421 4.3.0 Closing", Stage.DOT)
garbage_at_rcpt = _some("999 what", Stage.RCPT)
garbage_at_dot = _some("what?", Stage.DOT)

cut_at_mail = _cuts(Stage.MAIL)
cut_at_rcpt = _cuts(Stage.RCPT)
cut_in_data = _cuts(Stage.DATA)
cut_after_dot = _cuts(Stage.DOT)
cut_after_answer = _cuts(Stage.DONE)


# --- TLS and the password ------------------------------------------------------------------------


def tls_not_offered(s: Scene) -> object:
    """Somebody on the line takes the offer of STARTTLS away."""
    s.rig.sink.starttls = False
    s.rig.sink.cut_all()
    s.after(s.random.uniform(1, 4), lambda: setattr(s.rig.sink, "starttls", True))
    return True


def tls_refused(s: Scene) -> object:
    """STARTTLS is offered and then refused."""
    s.rig.sink.tls_refusal = "454 4.7.0 TLS not available"
    s.rig.sink.cut_all()
    s.after(s.random.uniform(1, 4), lambda: setattr(s.rig.sink, "tls_refusal", ""))
    return True


def tls_of_another(s: Scene) -> object:
    """The certificate is another server's."""
    s.rig.sink.certified_for("elsewhere.example")
    s.rig.sink.cut_all()
    s.after(s.random.uniform(1, 4), lambda: s.rig.sink.certified_for(""))
    return True


def text_before_tls(s: Scene) -> object:
    """Answers are slipped in before the encryption begins, to be read after it."""
    s.rig.sink.before_tls = b"220 Go on\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n250 2.0.0 Taken\r\n"
    s.rig.sink.cut_all()
    s.after(s.random.uniform(1, 3), lambda: setattr(s.rig.sink, "before_tls", b""))
    return True


def password_refused(s: Scene) -> object:
    """The password is wrong from one mail to the next."""
    s.rule(s.rig.sink.answer("535 5.7.8 Wrong password", at=Stage.AUTH), s.random.uniform(1, 3))
    s.rig.sink.cut_all()
    return True


def password_later(s: Scene) -> object:
    """The mail server cannot look the password up just now."""
    s.rule(s.rig.sink.answer("454 4.7.0 Later", at=Stage.AUTH), s.random.uniform(1, 4))
    s.rig.sink.cut_all()
    return True


# Those that were made by another function are called what they are called here.
for _name, _fault in list(globals().items()):
    if getattr(_fault, "__name__", "") == "inflict":
        _fault.__name__ = _name
