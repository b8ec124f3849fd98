"""What a person changes of her own account: name, address, password, language, time zone, theme."""

from __future__ import annotations

import zoneinfo

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from mailape.accounts import members, sessions, users
from mailape.accounts.models import ApiToken, Membership, User
from mailape.core import address, clock, ids, limits
from mailape.core.errors import Conflict, Invalid, NotFound

THEMES = ("", "light", "dark")
TRIES = limits.Rate(10, 600)  # of the password in force, on the account page
ASKED = limits.Rate(5, 3600)  # changes of address


class _AddressTokens(PasswordResetTokenGenerator):
    """Good for one change to one address: a hash of both addresses and of the password."""

    key_salt = "mailape.accounts.new-address"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{user.pk}|{user.password}|{user.email_key}|{user.new_email}|{timestamp}"


_tokens = _AddressTokens()


def time_zones() -> list[str]:
    """The names of time zones to choose from, by continent and city."""
    known = zoneinfo.available_timezones()
    return ["UTC", *sorted(name for name in known if "/" in name and not name.startswith("Etc/"))]


def change(user: User, *, name: str, language: str, time_zone: str, theme: str) -> None:
    """Changes what needs no proof. Raises Invalid with the field that will not do."""
    if language and language not in settings.INTERFACE_LANGUAGES:
        raise Invalid(_("Choose one of the languages."), "language")
    if time_zone and time_zone not in zoneinfo.available_timezones():
        raise Invalid(_("Choose one of the time zones, for example Europe/Berlin."), "time_zone")
    if theme not in THEMES:
        raise Invalid(_("Choose one of the themes."), "theme")
    user.name, user.language = users.clean_name(name), language
    user.time_zone, user.theme = time_zone, theme
    user.save(update_fields=["name", "language", "time_zone", "theme"])


def change_password(user: User, current: str, new: str) -> None:
    """Sets a new password, which ends the other sessions. Raises Invalid, TooMany."""
    check(user, current, "current")
    users.set_password(user, new)


def check(user: User, password: str, field: str) -> None:
    """Raises Invalid, at `field`, unless this is the user's password; TooMany after many tries."""
    limits.count("own-password", str(user.pk), TRIES)
    if not user.check_password(password):
        raise Invalid(_("This is not your password."), field)


def ask_new_address(user: User, email: str, password: str) -> str | None:
    """Notes the address that the user wants; returns the link's token for the mail to it.

    None where it is another user's: who asks is told the same. Raises Invalid, TooMany.
    """
    check(user, password, "email_password")
    try:
        who = address.parse(email)
    except Invalid as wrong:
        raise Invalid(str(wrong), "email") from None
    if who.typed == user.email:
        raise Invalid(_("This is your address already."), "email")
    limits.count("new-address", str(user.pk), ASKED)
    user.new_email = who.typed
    user.save(update_fields=["new_email"])
    if User.objects.filter(email_key=who.key).exclude(pk=user.pk).exists():
        return None
    return f"{user.public_id}.{_tokens.make_token(user)}"


def forget_new_address(user: User) -> None:
    """Takes back the wish for another address; its link ends. A second time changes nothing."""
    User.objects.filter(pk=user.pk).update(new_email="")


def user_of(token: str) -> User:
    """The user whose new address a link confirms. Raises NotFound when used, old or altered."""
    public_id, _dot, given = token.partition(".")
    user = User.objects.filter(pk=ids.private("user", public_id), is_active=True).first()
    if user is None or not user.new_email or not _tokens.check_token(user, given):
        raise NotFound(_("This link has been used, or is older than an hour."))
    return user


@transaction.atomic
def confirm_address(token: str) -> tuple[User, str]:
    """Makes the new address the user's; returns the user and the address before.

    Raises NotFound for the link, Conflict where somebody else took the address meanwhile.
    """
    User.objects.select_for_update().filter(pk=user_of(token).pk).first()
    user = user_of(token)
    before, who = user.email, address.parse(user.new_email)
    user.email, user.email_key, user.new_email = who.typed, who.key, ""
    try:
        with transaction.atomic():
            user.save(update_fields=["email", "email_key", "new_email"])
    except IntegrityError:
        raise Conflict(_("There is an account with this address already.")) from None
    return user, before


@transaction.atomic
def close(user: User, password: str) -> None:
    """Closes the account: it can sign in nowhere, and its address and name are gone.

    What was done in its name stays on record. Raises Invalid for the password; Conflict for who is
    the only owner of a workspace or the instance's only administrator.
    """
    check(user, password, "close_password")
    # Locked, so that two owners who close their accounts at once do not leave nobody.
    shared = Membership.objects.filter(user=user).values("workspace_id")
    list(Membership.objects.select_for_update().filter(workspace_id__in=shared).order_by("pk"))
    if left := members.sole_owner_of(user):
        names = ", ".join(one.name for one in left[:5])
        raise Conflict(
            _("You are the only owner of: %(names)s. Hand it over to somebody first.")
            % {"names": names}
        )
    admins = User.objects.filter(is_admin=True, is_active=True).exclude(pk=user.pk)
    if user.is_admin and not admins.exists():
        raise Conflict(_("You are the only administrator of this instance."))
    ApiToken.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=clock.now())
    Membership.objects.filter(user=user).delete()
    sessions.end_all(user)
    user.email = user.name = user.new_email = ""
    user.email_key, user.is_active, user.is_admin = f"closed {user.pk}", False, False
    user.set_unusable_password()
    user.save()
