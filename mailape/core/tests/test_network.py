"""Which address a request came from: the proxies we trust are believed, the client never."""

from __future__ import annotations

import ipaddress

import pytest
from django.test import RequestFactory

from mailape.core import network

PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # no proxy of ours: the header is a story
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # the left one was made up
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),  # two proxies of ours in a row
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, rubbish", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("fd00::1", "[2001:db8::5]:4711", "2001:db8::5"),
        ("10.0.0.1", "2001:db8::5", "2001:db8::5"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", " 198.51.100.1 ,10.0.0.2 ", "198.51.100.1"),
        ("10.0.0.1", ",,,", "10.0.0.1"),
        ("", "198.51.100.1", "unknown"),
        ("fe80::1%eth0", "", "fe80::1"),
    ],
)
def test_the_rightmost_address_that_no_trusted_proxy_has(
    peer: str, forwarded_for: str, expected: str
) -> None:
    assert network.client_address(peer, forwarded_for, PROXIES) == expected


def test_without_a_trusted_proxy_the_header_is_never_believed() -> None:
    assert network.client_address("10.0.0.1", "198.51.100.1", []) == "10.0.0.1"


def test_a_request_is_judged_by_the_configured_proxies(settings: object) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="192.0.2.9")
    assert network.of(request.META) == "10.0.0.1"
    settings.TRUSTED_PROXIES = PROXIES  # type: ignore[attr-defined]
    assert network.of(request.META) == "192.0.2.9"


@pytest.mark.parametrize(
    ("address", "expected"), [("127.0.0.1", True), ("::1", True), ("192.0.2.1", False)]
)
def test_this_machine_is_known(address: str, expected: bool) -> None:
    assert network.is_loopback(address) is expected
