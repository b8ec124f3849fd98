"""The whole path in one process: facts, build, claim, render, a real SMTP server, states."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from mailape.campaigns import dispatch
from mailape.core import bell, clock, links
from mailape.delivery import claim, compile, leases, notices, outcome, sources, tasks
from mailape.delivery.models import OutboxMail, SubscriberMessage
from mailape.delivery.tests.conftest import counted as states
from mailape.delivery.tests.conftest import really as true_states
from mailape.lists import subscribe, suppress
from mailape.lists.models import MailingList, Method, Subscriber, Subscription
from mailape.lists.subscribe import Origin
from tests.house.smtp import Stage

pytestmark = pytest.mark.django_db(transaction=True)
FORM = Origin(Method.FORM)


def test_everyone_gets_her_own_mail_and_a_record(sent_off, smtp, smtp_url):
    smtp_url(smtp.url)
    message = sent_off(30)
    tasks.send()
    message.refresh_from_db()
    assert sorted(x.to for x in smtp.letters) == sorted(f"reader{n}@example.org" for n in range(30))
    assert states(message) == true_states(message) == {"sent": 30}
    assert message.status == "sent"
    assert message.started_at <= message.finished_at
    row = SubscriberMessage.objects.filter(message=message).first()
    assert (row.attempts, row.tried_at, row.not_before) == (1, row.sent_at, None)
    assert row.answer.startswith("250 2.0.0 Taken as")


def test_a_451_is_tried_again_after_a_minute_and_reaches_her_once(sent_off, smtp, smtp_url):
    smtp.answer("451 4.7.1 Try later", times=1, to="reader3@*")
    smtp_url(smtp.url)
    message = sent_off(10)
    tasks.send()
    message.refresh_from_db()
    assert states(message) == true_states(message) == {"sent": 9, "deferred": 1}
    assert message.status == "sending"
    row = SubscriberMessage.objects.get(message=message, state="deferred")
    assert row.answer == "451 4.7.1 Try later"
    assert timedelta(seconds=50) < row.not_before - clock.now() <= timedelta(seconds=60)
    with clock.moved(timedelta(seconds=61)):
        tasks.send()
    message.refresh_from_db()
    assert states(message) == true_states(message) == {"sent": 10}
    assert message.status == "sent"
    assert len(smtp.letters) == 10
    row.refresh_from_db()
    assert row.attempts == 2


def test_a_550_ends_as_failed_with_the_servers_words(sent_off, smtp, smtp_url):
    smtp.answer("550 5.1.1 No such person", to="reader1@*")
    smtp_url(smtp.url)
    message = sent_off(3)
    tasks.send()
    message.refresh_from_db()
    assert states(message) == {"sent": 2, "failed": 1}
    assert message.status == "sent"
    row = SubscriberMessage.objects.get(message=message, state="failed")
    assert row.reason == "Refused: 550 5.1.1 No such person"


def test_a_confirmation_goes_out_at_once_and_its_link_confirms(a_list, smtp, smtp_url):
    smtp_url(smtp.url)
    subscribe.sign_up(a_list, "Eve@example.org", "Eve <script>", FORM)
    tasks.wake()
    (letter,) = smtp.wait_for(1, within=2)
    assert letter.to == "Eve@example.org"
    assert letter.message["Auto-Submitted"] == "auto-generated"
    assert letter.message["Form-Sub"]
    assert letter.message["List-Unsubscribe"] is None
    assert "Eve <" not in letter.content.decode()  # no text that a stranger typed
    assert b"script" not in letter.content
    token = letter.part("plain").split("/confirm/")[1].split(")")[0]
    named = links.read(links.Purpose.CONFIRM, token)
    eve = Subscriber.objects.get()
    assert named.subscriber_id == eve.pk
    subscribe.confirm(a_list.pk, eve.pk, named.occasion, FORM)
    assert Subscription.objects.get().status == "confirmed"


def test_a_confirmation_is_made_once_however_often_the_bell_rings(a_list, smtp, smtp_url):
    smtp_url(smtp.url)
    subscribe.sign_up(a_list, "eve@example.org", "", FORM)
    tasks.wake()
    tasks.wake()
    assert len(smtp.letters) == 1


def test_a_confirmation_that_nobody_waits_for_any_more_is_not_sent(a_list, smtp, smtp_url):
    smtp.answer("451 4.7.1 Try later", times=1)
    smtp_url(smtp.url)
    subscribe.sign_up(a_list, "eve@example.org", "", FORM)
    tasks.wake()
    eve = Subscriber.objects.get()
    subscribe.unsubscribe(eve.pk, None, FORM)
    with clock.moved(timedelta(minutes=2)):
        tasks.wake()
    row = SubscriberMessage.objects.get()
    assert (row.state, row.reason) == ("skipped", "unsubscribed")
    assert not smtp.letters


def test_one_list_whose_mail_cannot_be_made_does_not_hold_up_the_others(
    alice, a_list, smtp, smtp_url, monkeypatch
):
    right = sources.confirmation

    def breaks(on: MailingList) -> object:
        if on.name == "Broken":
            raise RuntimeError("broken")
        return right(on)

    monkeypatch.setattr(sources, "confirmation", breaks)
    broken = MailingList.objects.create(workspace=alice.workspace, name="Broken")
    smtp_url(smtp.url)
    subscribe.sign_up(broken, "ann@example.org", "", FORM)
    subscribe.sign_up(a_list, "eve@example.org", "", FORM)
    tasks.wake()
    assert [letter.to for letter in smtp.letters] == ["eve@example.org"]


def test_who_leaves_or_is_suppressed_after_the_build_gets_nothing(
    sent_off, a_list, alice, smtp, smtp_url
):
    smtp_url(smtp.url)
    message = sent_off(4)
    left = Subscriber.objects.get(email="reader0@example.org")
    subscribe.unsubscribe(left.pk, None, FORM)
    suppress.suppress(alice.workspace, "reader1@example.org", reason="bounce")
    Subscriber.objects.filter(email="reader2@example.org").update(domain="elsewhere.example")
    suppress.suppress(alice.workspace, "elsewhere.example")
    tasks.send()
    reasons = dict(
        SubscriberMessage.objects.filter(message=message).values_list("to_address", "reason")
    )
    assert reasons == {
        "reader0@example.org": "unsubscribed",
        "reader1@example.org": "suppressed: bounced",
        "reader2@example.org": "suppressed: owner's word, the whole domain elsewhere.example",
        "reader3@example.org": "",
    }
    assert states(message) == true_states(message) == {"skipped": 3, "sent": 1}


def test_machine_mail_overtakes_newsletters(sent_off, a_list):
    sent_off(3)
    subscribe.sign_up(a_list, "eve@example.org", "", FORM)
    tasks.wake()
    assert [mail.recipient for mail in OutboxMail.objects.all()] == ["eve@example.org"]


def test_pausing_stops_and_resuming_goes_on_where_it_stopped(sent_off, smtp, smtp_url):
    smtp_url(smtp.url)
    message = sent_off(6)
    dispatch.pause(message)
    tasks.send()
    assert states(message) == {"queued": 6}
    dispatch.resume(message)
    tasks.build()
    tasks.send()
    message.refresh_from_db()
    assert message.status == "sent"
    assert len(smtp.letters) == 6


def test_cancelling_skips_the_rest_and_says_when_it_was_over(sent_off):
    message = sent_off(6)
    dispatch.cancel(message)
    tasks.build()
    message.refresh_from_db()
    assert states(message) == true_states(message) == {"skipped": 6}
    assert message.finished_at
    assert {row.reason for row in message.deliveries.all()} == {"cancelled"}


def test_cancelling_skips_what_waits_for_its_retry(sent_off, smtp, smtp_url):
    smtp.answer("451 4.7.1 Try later")
    smtp_url(smtp.url)
    message = sent_off(3)
    tasks.send()
    assert states(message) == {"deferred": 3}
    dispatch.cancel(message)
    tasks.build()
    assert states(message) == true_states(message) == {"skipped": 3}
    with clock.moved(timedelta(minutes=2)):
        tasks.send()
    assert not smtp.letters


def test_a_deferred_mail_of_a_paused_message_waits_for_the_pause_to_end(sent_off, smtp, smtp_url):
    smtp.answer("451 4.7.1 Try later", times=1)
    smtp_url(smtp.url)
    message = sent_off(2)
    tasks.send()
    dispatch.pause(message)
    with clock.moved(timedelta(minutes=2)):
        tasks.send()
        assert states(message) == {"deferred": 2}
    dispatch.resume(message)
    tasks.build()
    with clock.moved(timedelta(minutes=3)):
        tasks.send()
    assert states(message) == true_states(message) == {"sent": 2}


def test_pausing_in_the_middle_of_a_batch_stops_within_two_seconds(sent_off, smtp, smtp_url):
    smtp.delay(0.05, at=Stage.RCPT)
    smtp_url(smtp.url)
    message = sent_off(400)

    paused_at: list[float] = []

    def pause_soon():
        smtp.wait_for(10)
        dispatch.pause(message)
        paused_at.append(clock.now().timestamp())
        connection.close()

    thread = threading.Thread(target=pause_soon)
    thread.start()
    tasks.send()
    thread.join()
    last = max(letter.at for letter in smtp.letters)
    assert last < paused_at[-1] + 2
    assert len(smtp.letters) < 400
    assert states(message) == {"sent": len(smtp.letters), "queued": 400 - len(smtp.letters)}


def test_a_broken_route_pauses_the_message_blames_nobody_and_tells_the_owner(
    sent_off, smtp_server, smtp_url, alice
):
    server = smtp_server(user="ann", password="right")
    smtp_url(server.url.replace("right", "wrong"))
    message = sent_off(3)
    tasks.send()
    message.refresh_from_db()
    assert message.status == "paused"
    assert "535" in message.reason
    assert states(message) == true_states(message) == {"queued": 3}
    notice = SubscriberMessage.objects.get(message__kind="account")
    assert notice.to_address == alice.email
    tasks.wake()
    notice.refresh_from_db()
    assert (notice.state, notice.attempts) == ("deferred", 0)
    smtp_url(server.url)
    with clock.moved(timedelta(minutes=2)):
        tasks.wake()
    assert [letter.to for letter in server.letters] == [alice.email]
    assert "535" in server.letters[0].part("plain")


def test_a_route_that_is_down_is_waited_for_without_blame(sent_off, smtp, smtp_url):
    smtp.stop()
    smtp_url(smtp.url)
    message = sent_off(3)
    tasks.send()
    message.refresh_from_db()
    assert message.status == "sending"
    assert message.reason.startswith("Waits for the mail server.")
    assert states(message) == {"queued": 3}
    assert not SubscriberMessage.objects.filter(attempts__gt=0)
    smtp.start()
    tasks.send()
    message.refresh_from_db()
    assert (message.status, message.reason) == ("sent", "")
    assert len(smtp.letters) == 3


def test_a_newsletter_in_doubt_is_unknown_and_a_confirmation_is_sent_again(
    sent_off, a_list, smtp, smtp_url
):
    smtp.drop(at=Stage.DOT, times=1)
    smtp_url(smtp.url)
    message = sent_off(1)
    tasks.send()
    message.refresh_from_db()
    assert states(message) == {"unknown": 1}
    assert message.status == "sent"
    subscribe.sign_up(a_list, "eve@example.org", "", FORM)
    tasks.wake()
    with clock.moved(timedelta(minutes=2)):
        tasks.wake()
    assert len(smtp.to("eve@example.org")) == 2
    assert len({letter.message_id for letter in smtp.to("eve@example.org")}) == 1
    assert len({letter.sha256 for letter in smtp.to("eve@example.org")}) == 1


def test_account_mail_forgets_its_link_once_it_is_out(alice, smtp, smtp_url):
    smtp_url(smtp.url)
    made = notices.password_reset(alice.user)
    assert "/reset/" in made.context["url"]
    tasks.wake()
    assert "/reset/" in smtp.letters[0].part("plain")
    made.refresh_from_db()
    assert (made.state, made.context) == ("sent", None)


def test_a_test_mail_can_be_waited_for(alice, smtp, smtp_url):
    smtp_url(smtp.url)
    made = notices.send_test("someone@example.org")
    assert not notices.wait_for(made, seconds=0.2)  # no worker lives
    tasks.wake()
    assert notices.wait_for(made, seconds=1)
    assert made.state == "sent"


def test_a_test_of_a_draft_looks_like_the_draft(write, a_list, smtp, smtp_url):
    smtp_url(smtp.url)
    notices.send_test("someone@example.org", write([a_list]))
    tasks.wake()
    (letter,) = smtp.letters
    assert letter.message["Subject"] == "Hello Ann"
    assert "Weekly letter" in letter.part("html")
    assert "Some *news*" not in letter.part("html")


def test_the_sweep_finds_what_no_bell_announced(sent_off, a_list, monkeypatch):
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring_now", lambda name: rung.append(name) or True)
    tasks.sweep()
    assert rung == []
    subscribe.sign_up(a_list, "eve@example.org", "", FORM)
    sent_off(2)
    rung.clear()
    tasks.sweep()
    assert rung == [bell.WAKE, bell.SEND]


@pytest.mark.parametrize("part", ["recover.look", "numbers.fold", "pace.queues_to_hasten"])
def test_a_part_of_the_sweep_that_fails_keeps_back_no_other(sent_off, monkeypatch, part):
    def breaks() -> None:
        raise RuntimeError("a fault")

    outcome.want(sent_off(2).pk)
    rung: list[str] = []
    monkeypatch.setattr(f"mailape.delivery.tasks.{part}", breaks)
    monkeypatch.setattr(bell, "ring", rung.append)
    with pytest.raises(RuntimeError, match="a fault"):
        tasks.sweep()
    assert {bell.SEND, bell.REPORT} <= set(rung)


def test_a_mail_that_cannot_be_made_is_left_to_the_sweep(a_list, monkeypatch):
    """The task rang for itself without an end, as fast as the worker could hear it."""
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring_now", lambda name: rung.append(name) or True)

    def breaks(*_: object) -> None:
        raise compile.CannotCompile("not today")

    monkeypatch.setattr(compile, "revision", breaks)
    subscribe.sign_up(a_list, "eve@example.org", "", FORM)
    rung.clear()
    assert tasks.wake() == {"made": 0, "tried": 0}
    assert rung == []
    tasks.sweep()
    assert rung == [bell.WAKE]
    monkeypatch.undo()
    assert tasks.wake() == {"made": 1, "tried": 1}


def test_an_outbox_mail_is_kept_once_though_its_worker_died_before_it_could_say_so(sent_off):
    message = sent_off(1)
    tasks.send()
    row = message.deliveries.get()
    assert OutboxMail.objects.count() == 1
    SubscriberMessage.objects.filter(pk=row.pk).update(state="queued", not_before=clock.now())
    message.status = "sending"
    message.save()
    assert claim.anything(leases.NEWSLETTER)
    tasks.send()
    row.refresh_from_db()
    assert row.state == "sent"
    assert OutboxMail.objects.count() == 1
