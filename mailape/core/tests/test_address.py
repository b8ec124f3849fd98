"""Two spellings of one address have one key; what is shown in logs is masked."""

import pytest

from mailape.core import address


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("Ann@Example.ORG", "ann@example.org"),
        (" ann@example.org ", "ann@example.org"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
        ("STRASSE@example.org", "strasse@example.org"),
        ("ann+letter@example.org", "ann+letter@example.org"),
    ],
)
def test_the_key_of_an_address(typed, key):
    assert address.parse(typed).key == key


def test_a_masked_address_shows_first_letter_and_domain():
    assert address.masked("ann@example.org") == "a…@example.org"
