"""What the DNS says of a sender's domain, and what large receivers will make of it.

SPF says who may send for a domain, DKIM signs for it (`senders.dkim`), DMARC says what to do with
mail that neither of them speaks for. The look is a task; here stands what was found last, and what
it means.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from mailape.accounts.models import Workspace
from mailape.core import bell, clock
from mailape.senders.models import DkimFound, DkimKey, DkimState, DomainLook, TransportAccount

# A look is good for this long; then housekeeping wants the next one.
GOOD_FOR = timedelta(days=1)
AT_ONCE = 200


@dataclass(frozen=True)
class Found:
    """What one look found. `answered` is false where the DNS could not be asked."""

    answered: bool
    takes_mail: bool = False
    spf: str = ""
    dmarc: str = ""
    dmarc_at: str = ""


@dataclass(frozen=True)
class Judgement:
    """One sentence about a domain, and whether it is to be minded."""

    warns: bool
    text: str


def ask(domain: str) -> None:
    """Wants a look at this domain."""
    if not domain:
        return
    DomainLook.objects.update_or_create(domain=domain, defaults={"wanted_at": clock.now()})
    bell.ring(bell.LOOK_UP)


def ask_for_old(domains: list[str]) -> int:
    """Wants a look at those of these that have none, or an old one; returns how many."""
    young = clock.now() - GOOD_FOR
    known = DomainLook.objects.filter(domain__in=domains)
    fresh = set(
        known.filter(Q(looked_at__gt=young) | Q(wanted_at__isnull=False)).values_list(
            "domain", flat=True
        )
    )
    old = [one for one in dict.fromkeys(domains) if one not in fresh][:AT_ONCE]
    for domain in old:
        ask(domain)
    return len(old)


def looked(wanted: DomainLook, found: Found) -> None:
    """Notes what a look found. Whoever has asked anew since `wanted` was read gets another."""
    row = DomainLook.objects.filter(pk=wanted.pk)
    row.update(
        looked_at=clock.now(), answered=found.answered, takes_mail=found.takes_mail,
        spf=found.spf[:500], dmarc=found.dmarc[:500], dmarc_at=found.dmarc_at,
    )  # fmt: skip
    row.filter(wanted_at=wanted.wanted_at).update(wanted_at=None)


def to_look_at() -> QuerySet[DomainLook]:
    """Domains at which somebody wants a look."""
    return DomainLook.objects.filter(wanted_at__isnull=False).order_by("wanted_at", "pk")


def look(domain: str) -> DomainLook | None:
    """The last look at this domain, or the one that is wanted; None where there is neither."""
    return DomainLook.objects.filter(domain=domain).first()


def policy(dmarc: str) -> str:
    """What a DMARC record asks receivers to do: none, quarantine, reject; "" for no record."""
    tags = {
        name.strip().lower(): value.strip().lower()
        for name, _found, value in (tag.partition("=") for tag in dmarc.split(";"))
    }
    return tags.get("p", "none") if tags.get("v") == "dmarc1" else ""


# --- what it means -------------------------------------------------------------------------------


def judge(workspace: Workspace | None, domain: str, seen: DomainLook) -> list[Judgement]:
    """What receivers will make of mail from this domain, the worst first."""
    if not seen.answered:
        said = _("%(domain)s could not be checked: the DNS does not answer.")
        return [Judgement(True, said % {"domain": domain})]
    signed = _signing(workspace, domain)
    found = [
        *_dmarc(domain, seen, is_signed=not signed.warns),
        signed,
        *_spf(domain, seen),
        *_answers(domain, seen),
    ]
    return sorted(found, key=lambda one: not one.warns)


def _signing(workspace: Workspace | None, domain: str) -> Judgement:
    shown = {"domain": domain}
    if TransportAccount.objects.filter(relay_signs=True).exists():
        return Judgement(False, _("The mail server signs (DKIM).") % shown)
    signs = DkimKey.objects.filter(workspace=workspace, domain=domain, state=DkimState.SIGNS)
    keys = list(signs)
    if not keys:
        said = _("Nothing here signs for %(domain)s (DKIM): make a key, or let the server sign.")
        return Judgement(True, said % shown)
    if any(key.found in (DkimFound.MISSING, DkimFound.OTHER) for key in keys):
        said = _("The DNS record of the key that signs for %(domain)s is missing or another one.")
        return Judgement(True, said % shown)
    return Judgement(False, _("Mail from %(domain)s is signed by its own key (DKIM).") % shown)


def _dmarc(domain: str, seen: DomainLook, *, is_signed: bool) -> list[Judgement]:
    asks = policy(seen.dmarc)
    shown = {"domain": seen.dmarc_at or domain, "policy": asks}
    if not asks:
        said = _("%(domain)s has no DMARC record, which large receivers ask for.")
        return [Judgement(True, said % shown)]
    if asks in {"quarantine", "reject"} and not is_signed:
        said = _(
            "%(domain)s asks receivers to refuse what it does not vouch for (DMARC %(policy)s), "
            "and nothing signs this mail: much of it may not arrive."
        )
        return [Judgement(True, said % shown)]
    return [Judgement(False, _("%(domain)s has a DMARC record (%(policy)s).") % shown)]


def _spf(domain: str, seen: DomainLook) -> list[Judgement]:
    shown = {"domain": domain}
    if not seen.spf:
        said = _("%(domain)s does not say who may send for it (SPF).")
        return [Judgement(True, said % shown)]
    if seen.spf.split()[-1].lower() in {"+all", "all"}:
        said = _("%(domain)s lets everybody send for it (SPF +all), which is as good as nothing.")
        return [Judgement(True, said % shown)]
    return [Judgement(False, _("%(domain)s says who may send for it (SPF).") % shown)]


def _answers(domain: str, seen: DomainLook) -> list[Judgement]:
    if seen.takes_mail:
        return []
    said = _("%(domain)s takes no mail: answers and bounces are lost.")
    return [Judgement(True, said % {"domain": domain})]
