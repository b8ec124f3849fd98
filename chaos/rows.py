"""The rows of the table: what a run is made of. `python -m chaos --list` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos import faults as f
from chaos import mail_faults as m
from chaos.rig import Plan
from chaos.scene import Fault

READERS = {"sign-up": 3, "leave": 2, "add": 1}
OWNER = {"end": 1, "suppress": 1, "pause": 1, "cancel": 0.3}
EVERYBODY = READERS | OWNER
BOTH = ("embedded", "production")


@dataclass(frozen=True)
class Row:
    """One kind of run.

    `faults`: what breaks, by weight. `acts`: what people do meanwhile, by weight. `gap`: seconds
    between two faults, from and to. `slow`: how long the mail server thinks about each letter, so
    that faults meet mails on their way. `longest`: faults end after so many seconds, however many
    are still to come. `errors`: exceptions that may be logged, as a pattern: what a store that is
    away makes the product say is no fault of the product.
    """

    about: str
    faults: Mapping[Fault, float]
    acts: Mapping[str, float] = field(default_factory=lambda: EVERYBODY)
    gap: tuple[float, float] = (0.6, 2.5)
    slow: float = 0.08
    longest: float = 600.0
    stacks: tuple[str, ...] = BOTH
    plan: Plan = field(default_factory=Plan)
    errors: str = ""


_NO_DATABASE = r"OperationalError|InterfaceError|AdminShutdown|server closed the connection"
_READ_ONLY = _NO_DATABASE + r"|ReadOnlySqlTransaction|InternalError"
_NO_REDIS = r"redis\.exceptions|kombu\.exceptions\.OperationalError|ConnectionError|TimeoutError"
_FULL = r"disk is full|No space left|OperationalError|JournalBroken|disk I/O error"

ROWS: dict[str, Row] = {
    "nothing": Row(
        "nothing breaks; people come, go, pause and cancel", {f.nothing: 1}
    ),
    "kill-sender": Row("kill -9 of a process that sends", {f.kill_sender: 1}),
    "kill-all": Row(
        "kill -9 of everything at once", {f.kill_all: 1}, gap=(4.0, 8.0)
    ),
    "kill-at-stage": Row(
        "kill -9 of a sender when the mail server is at a named stage",
        {
            f.kill_at_mail: 1,
            f.kill_at_rcpt: 1,
            f.kill_after_354: 2,
            f.kill_after_dot: 3,
            f.kill_after_answer: 3,
        },
    ),
    "kill-at-point": Row(
        "kill -9 at named points in the code",
        {f.kill_at_point: 3, f.kill_in_replay: 1},
        gap=(1.0, 3.0),
    ),
    "poison": Row(
        "mails on which every sender dies", {f.poison: 1}, acts=READERS, gap=(8.0, 40.0)
    ),
    "stop-at-point": Row(
        "SIGSTOP at named points, and on after twice the lease",
        {f.stop_at_point: 1},
        gap=(3.0, 6.0),
        plan=Plan(senders=3, lease=3.0),
    ),
    "restart": Row(
        "SIGTERM, and rolling restarts", {f.end_sender: 3, f.restart_rolling: 1}, gap=(2.0, 5.0)
    ),
    "stop": Row(
        "SIGSTOP for twice the lease, then SIGCONT",
        {f.stop_sender: 1},
        gap=(3.0, 6.0),
        plan=Plan(senders=3, lease=3.0),
    ),
    "web": Row(
        "the web server dies in the middle of sign-ups, confirmations, one-clicks, sends",
        {f.kill_web: 1},
        acts={"sign-up": 6, "leave": 4, "add": 2, "pause": 2, "cancel": 1, "suppress": 1},
        gap=(4.0, 9.0),
    ),
    "web-import": Row(
        "the web server dies while it takes in thousands of lines",
        {f.kill_web_in_import: 1},
        acts=READERS | {"paste": 6},
        gap=(0.3, 0.8),
    ),
    "beat": Row(
        "beat dies, is away, is there twice; the waking worker dies",
        {f.kill_beat: 1, f.no_beat: 1, f.two_beats: 1, f.kill_wake: 2},
        gap=(2.0, 5.0),
    ),
    "no-beat": Row(
        "no beat for ten minutes by the instance's clock, while mails become due",
        {f.no_beat_for_ten_minutes: 1},
        gap=(1.0, 3.0),
    ),
    "redis": Row(
        "Redis killed, emptied, stopped",
        {f.kill_redis: 2, f.flush_redis: 1, f.stop_redis: 1},
        gap=(3.0, 8.0),
        stacks=("production",),
        errors=_NO_REDIS,
    ),
    "no-redis": Row(
        "no Redis for a whole minute",
        {f.no_redis_for_a_minute: 1},
        # Longer than a recovery may take, so that the next minute is no part of it.
        gap=(16.0, 20.0),
        stacks=("production",),
        longest=2400.0,
        errors=_NO_REDIS,
    ),
    "postgres": Row(
        "PostgreSQL stopped at once, killed, its connections ended, read-only",
        {f.kill_postgres: 2, f.kill_postgres_hard: 1, f.kill_backends: 2, f.read_only: 1},
        gap=(3.0, 8.0),
        stacks=("production",),
        errors=_READ_ONLY,
    ),
    "line": Row(
        "the line to PostgreSQL cut, cut at a COMMIT, dead for a while",
        {f.cut_line: 1, f.cut_at_commit: 3, f.stall_line: 1},
        gap=(1.0, 4.0),
        stacks=("production",),
        plan=Plan(proxied=True),
        errors=_NO_DATABASE,
    ),
    "disk": Row(
        "no space left under the data folder",
        {f.fill_disk: 1},
        acts=EVERYBODY | {"picture": 3},
        gap=(4.0, 8.0),
        plan=Plan(small_disk=48),
        errors=_FULL,
    ),
    "disk-database": Row(
        "no space left under PostgreSQL's data",
        {f.fill_database_disk: 1},
        acts=EVERYBODY | {"picture": 6},
        gap=(4.0, 8.0),
        stacks=("production",),
        plan=Plan(small_database=400),
        errors=rf"{_READ_ONLY}|{_FULL}|DiskFull",
    ),
    "journal": Row(
        "a sender dies in the middle of a line of its journal", {f.tear_journal: 1}
    ),
    "clock": Row(
        "the machine's clock is set on and back", {f.move_clock: 1}, gap=(2.0, 5.0)
    ),
    "smtp-route": Row(
        "the mail server is away, silent, busy, or will not have us",
        {
            m.relay_away: 2, m.relay_silent: 1, m.greets_554: 1, m.greets_421: 1,
            m.refuses_ehlo: 1, m.later_ehlo: 1, m.refuses_sender: 0.5, m.later_sender: 1,
            m.closes_at_mail: 1, m.storage_at_mail: 1,
        },
        gap=(3.0, 7.0),
    ),
    "smtp-recipient": Row(
        "the mail server refuses single recipients, now or for good",
        {
            m.later_rcpt: 1, m.refused_rcpt: 1, m.later_data: 1, m.refused_data: 1,
            m.later_dot: 1, m.refused_dot: 1, m.greylist: 1,
        },
    ),
    "smtp-greylist": Row(
        "the mail server takes nothing for new recipients for five minutes by the moved clock",
        {m.greylist_for_five_minutes: 1},
        gap=(1.0, 3.0),
        slow=0.02,
    ),
    "smtp-old": Row(
        "the mail server offers no 8BITMIME, SMTPUTF8 or SIZE any more, or knows HELO only",
        {m.no_8bitmime: 2, m.no_smtputf8: 1, m.no_size: 1, m.helo_only: 1},
        gap=(1.5, 4.0),
        plan=Plan(smtputf8=True),
    ),
    "smtp-size": Row(
        "the mail server takes no large mail, or less than it did, and some messages are large",
        {m.takes_less: 2, m.refuses_the_size: 1},
        acts=EVERYBODY | {"send-large": 1},
        gap=(1.5, 4.0),
        plan=Plan(size=60_000),
    ),
    "pace": Row(
        "forty mails a second are allowed, and a domain says 421, while senders die and stop",
        {m.domain_has_enough: 3, f.kill_sender: 2, f.stop_sender: 1, f.end_sender: 1},
        gap=(1.5, 4.0),
        slow=0.02,
        plan=Plan(per_second=40, lease=3.0),
    ),
    "smtp-cut": Row(
        "the line to the mail server is cut at every stage, or it says 421, or offers less",
        {
            m.cut_at_mail: 1, m.cut_at_rcpt: 1, m.cut_in_data: 2, m.cut_after_dot: 3,
            m.cut_after_answer: 2, m.closes_at_rcpt: 1, m.closes_at_dot: 1, m.no_8bitmime: 0.5,
            m.takes_less: 0.5,
        },
        gap=(0.3, 1.2),
    ),
    "smtp-odd": Row(
        "the mail server answers in pieces, slowly, in nonsense, or without PIPELINING",
        {
            m.relay_in_pieces: 2, m.relay_slow: 1, m.relay_without_pipelining: 1,
            m.garbage_at_ehlo: 1, m.garbage_at_rcpt: 1, m.garbage_at_dot: 1,
        },
        gap=(1.5, 4.0),
    ),
    "smtp-chunks": Row(
        "the mail server offers CHUNKING; lines are cut and senders killed",
        {m.cut_after_dot: 1, m.cut_after_answer: 1, f.kill_after_dot: 1, f.kill_sender: 1},
        plan=Plan(extensions=("PIPELINING", "CHUNKING")),
    ),
    "smtp-tls": Row(
        "TLS not offered, refused, of another server, with text slipped in; the password refused",
        {
            m.tls_not_offered: 1, m.tls_refused: 1, m.tls_of_another: 1, m.text_before_tls: 1,
            m.password_refused: 1, m.password_later: 1, m.cut_after_dot: 1,
        },
        gap=(2.5, 6.0),
        plan=Plan(tls=True),
    ),
    "everything": Row(
        "a little of everything at the same time",
        {
            f.kill_sender: 4, f.kill_wake: 1, f.kill_web: 1, f.kill_all: 0.5, f.kill_beat: 1,
            f.end_sender: 1, f.stop_sender: 1, f.kill_after_dot: 2, f.kill_after_answer: 2,
            f.kill_at_point: 3, m.relay_away: 1, m.cut_after_dot: 1, m.later_rcpt: 1,
            m.refused_dot: 1, m.greylist: 1, m.relay_in_pieces: 1, m.greets_421: 1,
            f.tear_journal: 1, f.no_beat_for_ten_minutes: 1, f.kill_web_in_import: 1,
            m.greylist_for_five_minutes: 1, m.no_8bitmime: 1, m.takes_less: 0.5,
        },
        acts=EVERYBODY | {"paste": 0.5, "picture": 0.5},
    ),
}  # fmt: skip
