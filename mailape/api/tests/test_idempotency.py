"""A POST with an Idempotency-Key is done once, however often it is sent."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from mailape.core import clock, idempotency
from mailape.core.models import IdempotentAnswer
from mailape.lists import manage
from mailape.lists.models import MailingList
from tests.house.people import Person

BODY = {"name": "Letter"}


@pytest.mark.django_db
def test_the_same_request_gives_the_first_answer(api: Any, alice: Person) -> None:
    call = api(alice)
    first = call.post("lists", BODY, Idempotency_Key="k-1")
    again = call.post("lists", BODY, Idempotency_Key="k-1")
    assert first.status_code == again.status_code == 201
    assert (first.content, first["Location"], first["Content-Type"]) == (
        again.content,
        again["Location"],
        again["Content-Type"],
    )
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert again["Cache-Control"] == "no-store"
    assert MailingList.objects.count() == 1


@pytest.mark.django_db
def test_without_a_key_each_request_counts(api: Any, alice: Person) -> None:
    call = api(alice)
    call.post("lists", BODY)
    call.post("lists", BODY)
    assert MailingList.objects.count() == 2
    assert not IdempotentAnswer.objects.exists()


@pytest.mark.django_db
def test_another_body_or_address_with_the_same_key_is_422(api: Any, alice: Person) -> None:
    call = api(alice)
    call.post("lists", BODY, Idempotency_Key="k-1")
    other = call.post("lists", {"name": "Other"}, Idempotency_Key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    elsewhere = call.post("suppressions", BODY, Idempotency_Key="k-1")
    assert elsewhere.status_code == 422
    assert MailingList.objects.count() == 1


@pytest.mark.django_db
def test_a_refusal_is_kept_like_any_answer(api: Any, alice: Person) -> None:
    call = api(alice)
    first = call.post("lists", {"name": ""}, Idempotency_Key="k-1")
    again = call.post("lists", {"name": ""}, Idempotency_Key="k-1")
    assert first.status_code == again.status_code == 400
    assert first.content == again.content
    assert again["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
def test_a_conflict_is_kept_and_leaves_nothing_behind(
    api: Any, alice: Person, a_list: MailingList
) -> None:
    call, path = api(alice), f"lists/{a_list.public_id}/subscribers"
    row = call.post(path, {"email": "eve@example.org", "confirmed": True}).json()
    call.delete(f"{path}/{row['id']}")
    for _ in range(2):
        answer = call.post(path, {"email": "eve@example.org"}, Idempotency_Key="k-1")
        assert answer.status_code == 409


@pytest.mark.django_db
def test_keys_of_two_callers_do_not_meet(api: Any, alice: Person, charlie: Person) -> None:
    api(alice).post("lists", BODY, Idempotency_Key="k-1")
    assert api(charlie).post("lists", {"name": "His"}, Idempotency_Key="k-1").status_code == 201
    assert api(alice).post("lists", BODY, Idempotency_Key="k-1").status_code == 201  # another token
    assert MailingList.objects.count() == 3


@pytest.mark.django_db
def test_after_a_day_the_key_is_new(api: Any, alice: Person) -> None:
    call = api(alice)
    call.post("lists", BODY, Idempotency_Key="k-1")
    with clock.moved(timedelta(hours=23)):
        assert "Idempotent-Replayed" in call.post("lists", BODY, Idempotency_Key="k-1")
    with clock.moved(timedelta(hours=25)):
        assert "Idempotent-Replayed" not in call.post("lists", BODY, Idempotency_Key="k-1")


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ü"])
def test_a_key_that_is_none_is_refused(api: Any, alice: Person, key: str) -> None:
    answer = api(alice).post("lists", BODY, Idempotency_Key=key)
    assert answer.status_code == 400
    assert not MailingList.objects.exists()


@pytest.mark.django_db
def test_while_the_first_is_under_way_the_second_is_told_to_wait(
    api: Any, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, inner = api(alice), []

    def slow(*args: Any, **kwargs: Any) -> MailingList:
        inner.append(call.post("lists", BODY, Idempotency_Key="k-1"))
        return MailingList.objects.create(workspace=alice.workspace, name="Letter")

    monkeypatch.setattr(manage, "create", slow)
    assert call.post("lists", BODY, Idempotency_Key="k-1").status_code == 201
    assert inner[0].status_code == 409


@pytest.mark.django_db(transaction=True)
def test_work_that_broke_is_undone_and_frees_the_key(
    api: Any, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = api(alice)
    call.client.raise_request_exception = False

    def broken(*args: Any, **kwargs: Any) -> MailingList:
        MailingList.objects.create(workspace=alice.workspace, name="Half")
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(manage, "create", broken)
        assert call.post("lists", BODY, Idempotency_Key="k-1").status_code == 500
    assert not MailingList.objects.exists()
    assert not IdempotentAnswer.objects.exists()
    assert call.post("lists", BODY, Idempotency_Key="k-1").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_a_process_that_died_leaves_nothing_and_the_key_is_free_after_a_minute(
    api: Any, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = api(alice)

    def killed(*args: Any, **kwargs: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(manage, "create", killed)
        patch.setattr(idempotency, "release", lambda mine: None)  # kill -9 releases nothing
        with pytest.raises(SystemExit):
            call.post("lists", BODY, Idempotency_Key="k-1")
    assert call.post("lists", BODY, Idempotency_Key="k-1").status_code == 409
    with clock.moved(idempotency.ABANDONED + timedelta(seconds=1)):
        assert call.post("lists", BODY, Idempotency_Key="k-1").status_code == 201
    assert MailingList.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_done(api: Any, alice: Person) -> None:
    token, outcomes, ready = api(alice), [], threading.Barrier(8)

    def one() -> None:
        ready.wait()
        try:
            outcomes.append(token.post("lists", BODY, Idempotency_Key="k-1").status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert MailingList.objects.count() == 1
    assert set(outcomes) <= {201, 409}
    assert outcomes.count(201) >= 1
    assert len(outcomes) == 8
