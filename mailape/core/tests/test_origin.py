"""Whether a database lies where it was filled: what restoring a copy changes is noticed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from django.db import connection, connections

from mailape.core import origin
from mailape.core.models import InstanceSetting

pytestmark = pytest.mark.django_db(transaction=True)
on_postgres = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="about PostgreSQL")
on_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="about SQLite")


def noted() -> object:
    return InstanceSetting.objects.get(name="origin").value


def beside() -> Path:
    file = Path(connection.settings_dict["NAME"])
    return file.with_name(f"{file.name}-origin")


def test_a_new_database_belongs_where_it_is_looked_at_first():
    assert origin.is_here()
    assert noted()
    assert origin.is_here()


def test_it_stays_where_it_is_however_often_something_is_sent():
    assert origin.is_here()
    for _ in range(3):
        origin.turn()
        assert origin.is_here()


def test_once_settled_a_copy_belongs_here():
    assert origin.is_here()
    InstanceSetting.objects.filter(name="origin").update(value=[0, "0" * 16])
    assert not origin.is_here()
    origin.settle()
    assert origin.is_here()


@on_postgres
def test_a_row_that_was_written_anew_comes_from_a_dump():
    assert origin.is_here()
    anchor = InstanceSetting.objects.get(name="anchor")
    anchor.delete()
    anchor.save()  # what COPY does, too: the same row, of another transaction
    assert not origin.is_here()


@on_postgres
def test_a_copy_by_template_has_another_number():
    assert origin.is_here()
    number, written_by = noted()
    InstanceSetting.objects.filter(name="origin").update(value=[str(int(number) + 1), written_by])
    assert not origin.is_here()


@on_sqlite
def test_what_was_copied_before_something_was_sent_is_older():
    assert origin.is_here()
    before = noted()
    origin.turn()
    InstanceSetting.objects.filter(name="origin").update(value=before)  # `cp` over the file
    assert not origin.is_here()
    origin.turn()  # by whoever has not looked yet
    assert not origin.is_here()


@on_sqlite
def test_a_copy_of_the_whole_folder_is_another_file():
    assert origin.is_here()
    inode, word = noted()
    InstanceSetting.objects.filter(name="origin").update(value=[inode + 1, word])
    assert not origin.is_here()


@on_sqlite
def test_a_copy_in_a_folder_of_its_own_has_nothing_beside_it():
    assert origin.is_here()
    beside().unlink()
    assert not origin.is_here()


@on_sqlite
def test_who_dies_between_the_file_and_the_database_leaves_both_words(monkeypatch):
    assert origin.is_here()

    def dies(_found: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(origin, "_note", dies)
        with pytest.raises(KeyboardInterrupt):
            origin.turn()
    assert len(beside().read_text()) == 32
    assert origin.is_here()
    origin.turn()
    assert len(beside().read_text()) == 16
    assert origin.is_here()


@on_sqlite
def test_a_file_that_cannot_be_written_changes_nothing(monkeypatch):
    assert origin.is_here()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space"):
            origin.turn()
    assert origin.is_here()


def test_who_looks_while_others_send_sees_no_copy():
    assert origin.is_here()
    faults: list[object] = []

    def turns() -> None:
        try:
            for _ in range(20):
                origin.turn()
        except Exception as fault:
            faults.append(fault)
        finally:
            connections.close_all()

    senders = [threading.Thread(target=turns) for _ in range(2)]
    for one in senders:
        one.start()
    while any(one.is_alive() for one in senders):
        assert origin.is_here()
    assert not faults
