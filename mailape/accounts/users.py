"""Making users with a workspace of their own."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from mailape.accounts.models import Membership, Role, User, Workspace
from mailape.core import address
from mailape.core.errors import Conflict, Invalid


@transaction.atomic
def add(
    email: str, password: str, *, name: str = "", workspace_name: str = "", admin: bool = False
) -> Membership:
    """Makes a user who owns a new workspace. The first user is the instance's administrator.

    Raises Invalid for an address or password that will not do, Conflict for a known address.
    """
    user = make(email, password, name=name, admin=admin)
    return open_workspace(user, workspace_name)


@transaction.atomic
def make(email: str, password: str, *, name: str = "", admin: bool = False) -> User:
    """Makes a user without a workspace: one who was invited gets the inviter's.

    Raises Invalid for an address or password that will not do, Conflict for a known address.
    """
    who = address.parse(email)
    user = User(email=who.typed, email_key=who.key, name=clean_name(name), is_admin=admin)
    check_password(password, user)
    user.set_password(password)
    user.is_admin = admin or not User.objects.exists()
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        raise Conflict(
            _("There is a user with the address %(email)s already.") % {"email": who.typed}
        ) from None
    return user


@transaction.atomic
def open_workspace(user: User, name: str) -> Membership:
    """Makes a workspace that the user owns, named after the user where no name is given."""
    workspace = Workspace.objects.create(name=clean_name(name) or _named_after(user))
    return Membership.objects.create(user=user, workspace=workspace, role=Role.OWNER)


def set_password(user: User, password: str) -> None:
    """Gives the user a new password, which ends every session. Raises Invalid with the reasons."""
    check_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])


def check_password(password: str, user: User) -> None:
    """Raises Invalid with every reason why this password will not do."""
    try:
        validate_password(password, user)
    except ValidationError as wrong:
        raise Invalid(" ".join(wrong.messages), "password") from wrong


def clean_name(text: str) -> str:
    """A name on one line: control characters and line separators become blanks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:120]


def _named_after(user: User) -> str:
    return f"{user.name or user.email.partition('@')[0]}’s workspace"[:120]
