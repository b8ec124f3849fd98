"""What sign-up, confirmation and leaving do behind the one answer that the page gives."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from mailape.core import clock
from mailape.core.errors import Conflict, Invalid, NotFound
from mailape.lists import manage, subscribe, suppress
from mailape.lists.models import ConsentRecord, MailingList, Method, Subscriber, Subscription
from mailape.lists.subscribe import Origin
from mailape.lists.tests.conftest import FORM, LINK, OWNER

DAY = timedelta(days=1, minutes=1)
CLICK = Origin(Method.ONE_CLICK)


def only(letter: MailingList) -> Subscription:
    return Subscription.objects.get(list=letter)


def consents(letter: MailingList) -> list[tuple[str, str]]:
    found = ConsentRecord.objects.filter(list=letter).order_by("pk")
    return [(record.consent, record.method) for record in found]


def test_a_sign_up_stores_subscription_consent_and_the_wish_for_a_mail(letter):
    subscribe.sign_up(letter, "Ann@Example.org", "Ann", FORM)
    made = only(letter)
    assert (made.status, made.confirmation_no, made.confirmation_built) == ("unconfirmed", 1, 0)
    assert made.subscriber.email == "Ann@example.org"
    assert consents(letter) == [("given", "form")]
    assert ConsentRecord.objects.get().wording == FORM.wording


def test_a_second_sign_up_in_other_letters_is_the_same_person_and_one_mail(letter):
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    subscribe.sign_up(letter, "ANN@EXAMPLE.ORG", "Eve", FORM)
    assert only(letter).confirmation_no == 1
    assert Subscriber.objects.get().name == ""


def test_letters_beyond_ascii_fold_too(letter):
    subscribe.sign_up(letter, "jürgen@bücher.example", "", FORM)
    subscribe.sign_up(letter, "JÜRGEN@BÜCHER.EXAMPLE", "", FORM)
    assert only(letter).subscriber.domain == "xn--bcher-kva.example"


def test_a_day_later_she_gets_another_mail_but_never_a_fourth(letter):
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    for days in range(1, 6):
        with clock.moved(DAY * days):
            subscribe.sign_up(letter, "ann@example.org", "", FORM)
    assert only(letter).confirmation_no == subscribe.CONFIRMATIONS_EVER


def test_one_address_is_not_bombed_through_many_lists(letter):
    for number in range(8):
        other = manage.create(letter.workspace, f"List {number}")
        subscribe.sign_up(other, "ann@example.org", "", FORM)
    asked = Subscription.objects.filter(confirmation_no=1).count()
    assert asked == subscribe.CONFIRMATIONS_A_DAY


def test_confirming_makes_her_confirmed_and_a_second_time_changes_nothing(letter):
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    who = only(letter).subscriber_id
    subscribe.confirm(letter.pk, who, 1, LINK)
    first = only(letter)
    subscribe.confirm(letter.pk, who, 1, LINK)
    assert only(letter).confirmed_at == first.confirmed_at
    assert consents(letter) == [("given", "form"), ("given", "confirmation")]


def test_signing_up_again_when_confirmed_changes_and_sends_nothing(letter):
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    subscribe.confirm(letter.pk, only(letter).subscriber_id, 1, LINK)
    with clock.moved(DAY):
        subscribe.sign_up(letter, "ann@example.org", "", FORM)
    assert (only(letter).status, only(letter).confirmation_no) == ("confirmed", 1)


def test_the_first_mail_still_confirms_after_a_second_was_asked_for(letter):
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    with clock.moved(DAY):
        subscribe.sign_up(letter, "ann@example.org", "", FORM)
    subscribe.confirm(letter.pk, only(letter).subscriber_id, 1, LINK)
    assert only(letter).status == "confirmed"


def test_an_old_confirmation_does_not_bring_back_one_who_left(letter):
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    who = only(letter).subscriber_id
    subscribe.confirm(letter.pk, who, 1, LINK)
    subscribe.unsubscribe(who, None, CLICK)
    with pytest.raises(NotFound):
        subscribe.confirm(letter.pk, who, 1, LINK)
    subscribe.sign_up(letter, "ann@example.org", "", FORM)  # the same day: she has a right to
    with pytest.raises(NotFound):
        subscribe.confirm(letter.pk, who, 1, LINK)
    subscribe.confirm(letter.pk, who, 2, LINK)
    assert only(letter).status == "confirmed"


def test_a_confirmation_that_was_never_sent_is_refused(letter):
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    with pytest.raises(NotFound):
        subscribe.confirm(letter.pk, only(letter).subscriber_id, 2, LINK)


def test_leaving_twice_is_recorded_once(letter):
    subscribe.add(letter, "ann@example.org", "", OWNER, confirmed=True)
    who = only(letter).subscriber_id
    assert subscribe.unsubscribe(who, [letter.pk], CLICK) == [letter.pk]
    assert subscribe.unsubscribe(who, [letter.pk], CLICK) == []
    assert consents(letter) == [("given", "owner"), ("withdrawn", "one_click")]


def test_leaving_one_list_keeps_the_others(letter):
    other = manage.create(letter.workspace, "Other")
    for each in (letter, other):
        subscribe.add(each, "ann@example.org", "", OWNER, confirmed=True)
    subscribe.unsubscribe(only(letter).subscriber_id, [letter.pk], CLICK)
    assert only(other).status == "confirmed"


def test_the_way_back_confirms_only_what_was_confirmed(letter):
    other = manage.create(letter.workspace, "Never confirmed")
    subscribe.add(letter, "ann@example.org", "", OWNER, confirmed=True)
    subscribe.sign_up(other, "ann@example.org", "", FORM)
    who = only(letter).subscriber_id
    subscribe.unsubscribe(who, None, CLICK)
    back = subscribe.come_back(who, [letter.pk, other.pk], Origin(Method.LINK))
    assert back == [letter.pk]
    assert only(other).status == "unsubscribed"


def test_the_owner_s_word_confirms_without_a_mail(letter):
    made, new = subscribe.add(letter, "ann@example.org", "Ann", OWNER, confirmed=True)
    assert (new, made.status, made.confirmation_no) == (True, "confirmed", 0)


def test_adding_a_known_person_changes_nothing(letter):
    subscribe.add(letter, "ann@example.org", "Ann", OWNER)
    made, new = subscribe.add(letter, "ann@example.org", "Anna", OWNER, confirmed=True)
    assert (new, made.status, made.subscriber.name) == (False, "unconfirmed", "Ann")


def test_adding_one_who_left_needs_the_word_resubscribe(letter):
    subscribe.add(letter, "ann@example.org", "", OWNER, confirmed=True)
    subscribe.unsubscribe(only(letter).subscriber_id, None, CLICK)
    with pytest.raises(Conflict):
        subscribe.add(letter, "ann@example.org", "", OWNER, confirmed=True)
    made, new = subscribe.add(letter, "ann@example.org", "", OWNER, resubscribe=True)
    assert (new, made.status, made.confirmation_no) == (True, "unconfirmed", 1)


@pytest.mark.parametrize("suppressed", ["ann@example.org", "ANN@Example.ORG", "example.org"])
def test_a_suppressed_address_is_taken_by_no_door(letter, suppressed):
    suppress.suppress(letter.workspace, suppressed)
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    assert not Subscription.objects.exists()
    with pytest.raises(Conflict):
        subscribe.add(letter, "ann@example.org", "", OWNER)


def test_another_workspace_s_suppression_says_nothing_here(letter):
    other = manage.create(type(letter.workspace).objects.create(name="Other"), "Theirs")
    suppress.suppress(other.workspace, "ann@example.org")
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    assert only(letter).confirmation_no == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("", "must have an @-sign"),
        ("ann", "must have an @-sign"),
        ("ann@", "something after the @-sign"),
        ("@example.org", "something before the @-sign"),
        ("a b@example.org", "before the @-sign: SPACE"),
        ("ann@exa mple.org", "after the @-sign contains invalid characters: SPACE"),
        ("ann@example.org\r\nBcc: eve@example.org", "after the @-sign contains invalid characters"),
        ("ann@-x.example", "cannot have a hyphen immediately after the @-sign"),
        ("a" * 65 + "@example.org", "too long before the @-sign"),
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(letter, wrong, said):
    with pytest.raises(Invalid, match=said):
        subscribe.sign_up(letter, wrong, "", FORM)
    assert not Subscriber.objects.exists()


def test_a_name_with_line_ends_becomes_one_line(letter):
    subscribe.sign_up(letter, "ann@example.org", "Ann\r\nBcc: eve@x\x00\u2028!", FORM)
    assert Subscriber.objects.get().name == "Ann Bcc: eve@x !"


def test_the_database_itself_refuses_a_second_subscription(letter):
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.create(
            list=letter, subscriber=only(letter).subscriber, status="unconfirmed"
        )


def test_a_consent_record_can_neither_be_changed_nor_deleted(letter):
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    record = ConsentRecord.objects.get()
    with pytest.raises(TypeError):
        record.save()
    with pytest.raises(TypeError):
        record.delete()


def test_the_network_address_is_kept_only_where_the_operator_asked_for_it(letter):
    from mailape.core.models import InstanceSetting

    seen = Origin(Method.FORM, network_address="192.0.2.7")
    subscribe.sign_up(letter, "ann@example.org", "", seen)
    InstanceSetting.objects.create(name="consent_network_address", value=True)
    subscribe.sign_up(letter, "bea@example.org", "", seen)
    kept = ConsentRecord.objects.order_by("pk").values_list("network_address", flat=True)
    assert list(kept) == [None, "192.0.2.7"]
