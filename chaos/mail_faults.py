"""What may break of the mail server and of the line to it, in the manner of `faults`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from chaos.faults import pass_time
from chaos.scene import Fault, Scene, call_by_name
from tests.house.smtp import Rule, Stage

# Recovery without a human, in seconds, counted from the healing.
AFTER_RELAY = 60.0
FIVE_MINUTES = 300.0

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
    if not s.rig.sink.listens:
        return False
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


def takes_less(s: Scene) -> object:
    """New connections are offered a SIZE that is smaller than any mail, for a while."""
    if s.rig.sink.size != s.rig.plan.size:
        return False
    _offer(s, s.random.randint(500, 2000))
    s.after(s.random.uniform(1, 4), lambda: _offer(s, s.rig.plan.size))
    return True


def refuses_the_size(s: Scene) -> object:
    """552 to a MAIL with its SIZE, for a while, although a larger one was offered."""
    words = s.random.choice(("5.3.4 Message too big", "message size exceeds fixed maximum"))
    rule = s.rig.sink.answer(f"552 {words}", at=Stage.MAIL)
    s.rule(rule, s.random.uniform(0.3, 1.0))
    return True


def _offer(s: Scene, size: int) -> None:
    s.rig.sink.size = size
    s.rig.sink.sizes.add(size)
    s.rig.sink.cut_all()


def no_8bitmime(s: Scene) -> object:
    """New connections are offered neither 8BITMIME nor SMTPUTF8, which needs it (RFC 6531 3.1)."""
    return _withhold(s, "8BITMIME", "SMTPUTF8")


def no_smtputf8(s: Scene) -> object:
    """New connections are not offered SMTPUTF8."""
    return _withhold(s, "SMTPUTF8")


def no_size(s: Scene) -> object:
    """New connections are not told a SIZE."""
    return _withhold(s, "SIZE")


def _withhold(s: Scene, *names: str) -> object:
    s.rig.sink.withheld = names
    s.rig.sink.cut_all()
    s.after(s.random.uniform(2, 6), lambda: setattr(s.rig.sink, "withheld", ()))
    return True


def helo_only(s: Scene) -> object:
    """The server is from before 1995: it does not know EHLO."""
    s.rig.sink.speaks_helo_only = True
    s.rig.sink.cut_all()
    s.after(s.random.uniform(2, 6), lambda: setattr(s.rig.sink, "speaks_helo_only", False))
    return True


def greylist(s: Scene) -> object:
    """Three in ten recipients are told to come back, once each."""
    rule = s.rig.sink.answer("451 4.7.1 Greylisted", share=0.3, times=1)
    s.rule(rule, s.random.uniform(3, 8))
    return True


@dataclass
class _Greylist(Rule):
    """Whoever is new here is told to come back for five minutes by the clock `now`."""

    now: Callable[[], float] = time.time
    since: dict[str, float] = field(default_factory=dict)

    def applies(self, who: str) -> bool:
        if not super().applies(who):
            return False
        return self.now() - self.since.setdefault(who.lower(), self.now()) < FIVE_MINUTES


def greylist_for_five_minutes(s: Scene) -> object:
    """One in ten recipients is new to the server, which takes nothing for her for five minutes by
    the instance's clock. It goes on doing so until the run is over."""
    digit, clock = s.random.randint(0, 9), lambda: time.time() + s.rig.clock_offset
    rule = s.greylists.pop(digit, None)
    if rule is not None:
        s.rig.sink.forget(rule)
    code = s.random.choice(("450 4.2.0", "451 4.7.1"))
    answer = f"{code} Greylisted, come back in five minutes"
    rule = _Greylist(Stage.RCPT, answer=answer, to=f"*{digit}@*", now=clock)
    s.greylists[digit] = s.rig.sink.follow(rule)
    pass_time(s, FIVE_MINUTES + 60, within=6)
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


def domain_has_enough(s: Scene) -> object:
    """One domain takes nothing for a while: not so fast."""
    to = f"*@d{s.random.randint(0, 6)}.example"
    rule = s.rig.sink.answer("421 4.7.0 Too many mails from you", at=Stage.RCPT, to=to)
    s.rule(rule, s.random.uniform(3, 8))
    return True


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


call_by_name(globals())
