"""The first answer to a key is given again; only one request does the work."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from mailape.core import clock, idempotency
from mailape.core.errors import Conflict
from mailape.core.idempotency import Answer, Claim, KeyReused
from mailape.core.models import IdempotentAnswer

ANSWER = Answer(201, {"Location": "/x"}, '{"id": 1}')


def claimed(key: str = "k", print_: str = "p") -> Claim:
    found = idempotency.claim("token:1", key, print_)
    assert isinstance(found, Claim)
    return found


@pytest.mark.django_db
def test_the_first_answer_is_given_again() -> None:
    idempotency.keep(claimed(), ANSWER)
    assert idempotency.claim("token:1", "k", "p") == ANSWER


@pytest.mark.django_db
def test_while_the_first_is_under_way_the_second_is_a_conflict() -> None:
    claimed()
    with pytest.raises(Conflict):
        idempotency.claim("token:1", "k", "p")


@pytest.mark.django_db
def test_another_request_with_the_same_key_is_refused_before_and_after_the_answer() -> None:
    mine = claimed()
    with pytest.raises(KeyReused):
        idempotency.claim("token:1", "k", "other")
    idempotency.keep(mine, ANSWER)
    with pytest.raises(KeyReused):
        idempotency.claim("token:1", "k", "other")


@pytest.mark.django_db
def test_the_same_key_of_somebody_else_is_another_key() -> None:
    idempotency.keep(claimed(), ANSWER)
    assert isinstance(idempotency.claim("token:2", "k", "other"), Claim)


@pytest.mark.django_db
def test_a_released_key_is_free_again() -> None:
    idempotency.release(claimed())
    assert claimed()


@pytest.mark.django_db
def test_after_a_day_the_key_is_free_again_and_the_row_is_gone() -> None:
    for n in range(3):
        idempotency.keep(claimed(f"k{n}"), ANSWER)
    with clock.moved(idempotency.KEPT + timedelta(seconds=1)):
        assert claimed("k0", "another")
        assert IdempotentAnswer.objects.count() == 1
    with clock.moved(idempotency.KEPT - timedelta(minutes=1)):
        claimed("new")


@pytest.mark.django_db
def test_an_abandoned_claim_is_taken_over_and_its_owner_cannot_answer_any_more() -> None:
    first = claimed()
    with clock.moved(idempotency.ABANDONED + timedelta(seconds=1)):
        second = claimed()
        with pytest.raises(Conflict):
            idempotency.keep(first, ANSWER)
        idempotency.release(first)  # frees nothing that is not its own
        idempotency.keep(second, ANSWER)
        assert idempotency.claim("token:1", "k", "p") == ANSWER


@pytest.mark.django_db
def test_parts_cannot_be_shifted_into_each_other() -> None:
    assert idempotency.fingerprint(b"ab", b"c") != idempotency.fingerprint(b"a", b"bc")


@pytest.mark.django_db(transaction=True)
def test_what_dies_before_the_commit_leaves_neither_work_nor_answer() -> None:
    mine = claimed()
    with transaction.atomic():
        idempotency.keep(mine, ANSWER)
        transaction.set_rollback(True)
    with pytest.raises(Conflict):
        idempotency.claim("token:1", "k", "p")
    idempotency.release(mine)
    assert claimed()


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_one_does_the_work() -> None:
    outcomes: list[object] = []
    ready = threading.Barrier(20)

    def one() -> None:
        ready.wait()
        try:
            outcomes.append(idempotency.claim("token:1", "k", "p"))
        except Conflict as fault:
            outcomes.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 20
    assert sum(isinstance(one, Claim) for one in outcomes) == 1
