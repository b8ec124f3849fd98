"""E-mail addresses: the typed form, and the key by which two spellings are one person.

The key is made in Python, because SQLite's lower() knows ASCII only.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from email_validator import EmailNotValidError, validate_email

from mailape.core.errors import Invalid


@dataclass(frozen=True)
class Address:
    """A checked address. `typed` is what the person wrote, `key` what makes it unique."""

    typed: str
    key: str

    @property
    def domain(self) -> str:
        """The part behind the at sign, as an A-label in lower case."""
        return self.key.rpartition("@")[2]


def parse(text: str) -> Address:
    """Checks the form of an address (no network is asked) and makes its key.

    The key is the local part case-folded and the domain as IDNA 2008 A-label in lower case
    (RFC 5890; large providers treat local parts alike in any case).
    Raises Invalid with a sentence for the person who typed it.
    """
    try:
        found = validate_email(
            text.strip(),
            check_deliverability=False,
            strict=True,
            allow_quoted_local=False,
            allow_domain_literal=False,
            test_environment=True,
            globally_deliverable=False,
        )
    except EmailNotValidError as wrong:
        raise Invalid(_fault(wrong), "email") from wrong
    domain = (found.ascii_domain or found.domain).lower()
    return Address(
        typed=f"{found.local_part}@{found.domain}", key=f"{found.local_part.casefold()}@{domain}"
    )


def _fault(wrong: EmailNotValidError) -> str:
    # What the library says is in English only.
    if (get_language() or "en").startswith("en"):
        return str(wrong).replace("email address", "e-mail address")
    return _("This is not an e-mail address. Look at it once more, please.")


def masked(address: str) -> str:
    """An address as logs may show it: first letter and domain (`a…@example.org`)."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"
