"""The small parts that templates are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from mailape.web import charts, reasons
from mailape.web.forms import Form

register = template.Library()

# How a state looks: good, busy, warn, bad, or nothing of these.
LOOKS = {
    "confirmed": "good",
    "given": "good",
    "sent": "good",
    "sending": "busy",
    "queued": "busy",
    "deferred": "warn",
    "paused": "warn",
    "unknown": "warn",
    "quarantined": "bad",
    "failed": "bad",
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of our sprite, silent for screen readers: the words beside it say it."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>',
        static("web/img/icons.svg"),
        name,
    )


@register.simple_tag
def state(value: str, label: str) -> SafeString:
    """A status or state as a dot and its word."""
    return format_html('<span class="state {}">{}</span>', LOOKS.get(value, ""), label)


@register.simple_tag
def when(moment: datetime | None, never: str = "–") -> SafeString:
    """A time with its zone, readable by people and machines."""
    if moment is None:
        return format_html("{}", never)
    local = timezone.localtime(moment)
    shown = f"{date_format(local, _('j M Y, H:i'))} {local.tzname()}"
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), shown)


@register.filter
def number(value: Any) -> str:
    """1234567 as 1,234,567."""
    return str(intcomma(value))


@register.filter
def worded(reason: str) -> str:
    """What a worker noted down, in the reader's language."""
    return reasons.worded(reason)


@register.filter
def number_plain(value: float) -> str:
    """1234.0 as 1,234; 0.5 as 0.5."""
    return charts.plain(value)


@register.filter
def number_short(value: float) -> str:
    """1234567 as 1.2M, 12500 as 12.5k: beside the axis of a chart, where there is little room."""
    for unit, size in (("M", 1_000_000), ("k", 10_000)):
        if abs(value) >= size:
            part = value / (1000 if unit == "k" else size)
            return f"{part:.1f}".removesuffix(".0") + unit
    return str(intcomma(int(value) if float(value).is_integer() else value))


@register.inclusion_tag("web/parts/field.html")
def field(form: Form, name: str, label: str, **more: Any) -> dict[str, Any]:
    """One labelled field with its value and fault: `{% field form "email" _("E-mail") %}`."""
    return {
        "name": name,
        "label": label,
        "value": form.values.get(name, ""),
        "fault": form.faults.get(name, ""),
        "type": more.pop("type", "text"),
        "required": more.pop("required", True),
        **more,
    }


@register.inclusion_tag("web/parts/pager.html")
def pager(page: Any) -> dict[str, Any]:
    """The links to the newer and the older page, where there are any."""
    return {"page": page}


@register.simple_tag(takes_context=True)
def here(context: dict[str, Any], section: str) -> str:
    """` aria-current="page"` where the page belongs to this section of the navigation."""
    return SafeString(' aria-current="page"') if context.get("section") == section else ""


@register.simple_tag
def title(*parts: str) -> str:
    """The page's title: what it is, of whom, MailApe."""
    return " · ".join([part for part in parts if part] + [_("MailApe")])
