"""Opening an account on an open instance: the link in the mail carries what was typed.

Nothing is kept until the link is opened, so a stranger can fill no table, and the answer is the
same for an address that has an account: that one gets another mail.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core import signing
from django.utils.translation import gettext as _

from mailape.accounts.models import User
from mailape.accounts.users import clean_name
from mailape.core import address
from mailape.core.errors import NotFound

GOOD_FOR = 86_400  # seconds
_SALT = "mailape.accounts.opening"


@dataclass(frozen=True)
class Wish:
    """An account that somebody wants."""

    email: str
    name: str
    workspace: str


def token(email: str, name: str, workspace: str) -> str:
    """What the link carries. Raises Invalid for what is no address."""
    who = address.parse(email)
    return signing.dumps(
        [who.typed, clean_name(name), clean_name(workspace)], salt=_SALT, compress=True
    )


def read(token: str) -> Wish:
    """The wish behind a link. Raises NotFound when altered, older than a day, or fulfilled."""
    try:
        email, name, workspace = signing.loads(token, salt=_SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        raise NotFound(_("This link is not complete, or is older than a day.")) from None
    if User.objects.filter(email_key=address.parse(email).key).exists():
        raise NotFound(_("This link has been used: the account is there."))
    return Wish(email, name, workspace)
