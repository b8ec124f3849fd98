"""Values of variables as they are used, and those that stop the start."""

from __future__ import annotations

import pytest

from mailape.config import variables
from mailape.config.variables import WrongVariable


@pytest.mark.parametrize(
    ("typed", "used"),
    [
        ("https://news.example.org/", "https://news.example.org"),
        ("HTTPS://News.Example.ORG:8443", "https://news.example.org:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://[2001:DB8::1]:8000", "http://[2001:db8::1]:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_a_site_is_named_as_browsers_and_mail_headers_name_it(typed: str, used: str) -> None:
    assert variables.read({"SITE_URL": typed})["SITE_URL"] == used


@pytest.mark.parametrize(
    "typed",
    [
        "https://me:secret@example.org", "https://a b.example", "https://example.org/news",
        "https://-.example", "https://\u2028.example", "https://", "ftp://example.org", 'https://a"b',
    ],
)  # fmt: skip
def test_what_is_no_site_stops_the_start(typed: str) -> None:
    with pytest.raises(WrongVariable, match="SITE_URL must"):
        variables.read({"SITE_URL": typed})
