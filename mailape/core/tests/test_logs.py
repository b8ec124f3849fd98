"""A log line tells no token, no password, no full address, and stays one line."""

import json
import logging

import pytest

from mailape.core import logs


def line(form, text, *values):
    record = logging.LogRecord("mailape", logging.INFO, "", 1, text, values, None)
    return form.format(record)


@pytest.mark.parametrize("form", [logs.TextForm(), logs.JsonForm()])
@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("mail to ann.lee@example.org", "ann.lee@"),
        ("GET /confirm/1-abcdefghijklmnopqrstuv-abcdefghijklmnopqrstuv", "abcdefghijk"),
        ("POST /u/1-abcdefghijklmnopqrstuv-abcdefghijklmnopqrstuv 200", "abcdefghijk"),
        ("Authorization: Bearer ma_verysecret", "verysecret"),
        ("smtp://user:hunter2@mail.example.org", "hunter2"),
        ("password=hunter2", "hunter2"),
        ("/setup/abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnop"),
    ],
)
def test_secrets_do_not_show(form, text, secret):
    assert secret not in line(form, text)


def test_a_domain_still_shows_where_mail_goes():
    assert "a…@example.org" in line(logs.TextForm(), "mail to %s", "ann@example.org")


@pytest.mark.parametrize("split", ["\n", "\r", "\r\n", "\u2028", "\x85"])
def test_a_line_cannot_be_split(split):
    written = line(logs.TextForm(), f"name: Ann{split}2026-01-01 ERROR forged")
    assert len(written.splitlines()) == 1


def test_json_is_json():
    assert json.loads(line(logs.JsonForm(), 'a "quoted" %s', "value"))["message"] == (
        'a "quoted" value'
    )
