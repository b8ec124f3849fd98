"""The parts of the design system; `/design` shows each of them. `{% load parts %}`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, npgettext

from mailape.core import clock
from mailape.web import navigation, paging, tell
from mailape.web.charts import Chart
from mailape.web.forms import Form
from mailape.web.templatetags.web import icon, number

register = template.Library()


# --- links that choose: tabs, chips, heads of columns ---------------------------------------------


@register.simple_tag
def tab(url: str, label: str, on: Any = False, count: Any = None) -> SafeString:
    """One tab, inside of `<nav class="tabs">`."""
    return _choice(url, label, on, count, current="page")


@register.simple_tag
def chip(url: str, label: str, on: Any = False, count: Any = None) -> SafeString:
    """One of the filters to choose from, inside of `<nav class="filters">`."""
    return _choice(url, label, on, count, current="true")


@register.simple_tag
def chip_off(url: str, label: str) -> SafeString:
    """A filter in force, with the cross that takes it off."""
    return format_html(
        '<a class="chip" href="{}"><span>{}</span>{}<span class="unseen"> {}</span></a>',
        url, label, icon("cross"), _("(take this filter off)"),
    )  # fmt: skip


def _choice(url: str, label: str, on: Any, count: Any, current: str) -> SafeString:
    mark = SafeString(f' aria-current="{current}"') if on else ""
    shown = "" if count is None else format_html(' <span class="count">{}</span>', number(count))
    return format_html('<a href="{}"{}>{}{}</a>', url, mark, label, shown)


@register.simple_tag(takes_context=True)
def link_with(context: dict[str, Any], **changes: Any) -> str:
    """`?…` of this page with some values changed (None takes one away), back at its first page."""
    return paging.link(context["request"], **changes)


@register.simple_tag(takes_context=True)
def sort_head(context: dict[str, Any], key: str, label: str, look: str = "") -> SafeString:
    """The head of a column that the table can be sorted by; needs `sort` (web.sorting.Sort)."""
    sort = context["sort"]
    chosen = sort.key == key
    url = link_with(context, sort=f"-{key}" if chosen and not sort.falling else key)
    way = ("descending" if sort.falling else "ascending") if chosen else "none"
    arrow = icon("down" if chosen and sort.falling else "up") if chosen else icon("sort")
    return format_html(
        '<th scope="col" class="sortable {}" aria-sort="{}"><a href="{}">{}{}</a></th>',
        look, way, url, label, arrow,
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def live_search(context: dict[str, Any], region: str) -> SafeString:
    """Attributes for a form that searches: while one types, the region with this id is renewed.

    The form is an ordinary GET form of the same page, which is asked as a whole; htmx cuts the
    region out of the answer and writes the new address, so that it can be kept and sent on.
    """
    return format_html(
        ' hx-get="{}" hx-target="#{}" hx-select="#{}" hx-swap="outerHTML" hx-replace-url="true"'
        ' hx-trigger="submit, input delay:200ms" hx-sync="this:replace"',
        context["request"].path, region, region,
    )  # fmt: skip


@register.simple_tag
def address_of(route: str) -> str:
    """Where a route leads, or nothing while there is none: `{% address_of "web:x" as url %}`."""
    return navigation.address(route)


@register.simple_tag(takes_context=True)
def nav_items(context: dict[str, Any]) -> list[navigation.Item]:
    """The links of the navigation: `{% nav_items as items %}`."""
    return navigation.items(context.flatten())  # type: ignore[attr-defined]


@register.filter
def at(values: dict[str, Any] | None, key: str) -> Any:
    """`{{ counts|at:name }}`: what stands under a key that a variable holds; nothing without it."""
    return values.get(key) if isinstance(values, dict) else None


# --- rows to choose -------------------------------------------------------------------------------


@register.simple_tag
def pick(value: str, label: str, form: str = "bulk") -> SafeString:
    """The box that chooses a row: `<td class="pick">{% pick row.public_id row.email %}</td>`."""
    return format_html(
        '<input type="checkbox" name="pick" value="{}" form="{}" aria-label="{}" data-pick>',
        value, form, _("Choose %s") % label,
    )  # fmt: skip


@register.simple_tag
def pick_all(form: str = "bulk") -> SafeString:
    """The box in the head that chooses every row of the page; there with JavaScript only."""
    return format_html(
        '<input type="checkbox" aria-label="{}" data-pick-all="{}" hidden>',
        _("Choose every row of this page"), form,
    )  # fmt: skip


@register.simple_block_tag
def bulk_bar(content: str, action: str, token: str = "", form: str = "bulk") -> SafeString:
    """The form that acts on the chosen rows; between `{% bulk_bar url csrf_token %}` stand buttons.

    It posts `pick` once for each row. With JavaScript it counts them, and is out of sight at none.
    """
    return format_html(
        '<form id="{}" class="bulk-bar" method="post" action="{}" data-bulk data-one="{}"'
        ' data-many="{}"><input type="hidden" name="csrfmiddlewaretoken" value="{}">'
        '<p data-bulk-count>{}</p><div class="row">{}</div></form>',
        form, action, _("1 chosen"), _("%s chosen"), token, _("With the chosen ones:"), content,
    )  # fmt: skip


# --- states, numbers, times -----------------------------------------------------------------------


@register.simple_tag
def badge(label: str, look: str = "") -> SafeString:
    """A word in a small box: a role, a kind, “new”. `look`: good, warn, bad or nothing."""
    return format_html('<span class="badge {}">{}</span>', look, label)


@register.simple_tag
def stat(label: str, value: Any, note: str = "", url: str = "") -> SafeString:
    """One number with its name, inside of `<dl class="numbers">`; a note says how it moved."""
    shown = number(value) if isinstance(value, int) else value
    if url:
        shown = format_html('<a href="{}">{}</a>', url, shown)
    below = format_html('<dd class="note-below">{}</dd>', note) if note else ""
    return format_html("<div><dt>{}</dt><dd>{}</dd>{}</div>", label, shown, below)


@register.simple_tag
def progress(value: int, most: int, label: str) -> SafeString:
    """A bar of how much is done, which also says so in words for whoever does not see it."""
    return format_html(
        '<progress class="bar" value="{}" max="{}" aria-label="{}">{} / {}</progress>',
        value, max(most, 1), label, number(value), number(most),
    )  # fmt: skip


@register.simple_tag
def share(value: float, most: float, look: str = "accent") -> SafeString:
    """A bar beside a number in a table: how much of the most it is. Silent: the number says it."""
    width = f"{100 * min(max(value, 0) / most, 1):.1f}" if most else "0"
    return format_html(
        '<svg class="share" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="ground" width="100" height="4"/><rect class="look-{}" width="{}" height="4"/>'
        "</svg>",
        look, width,
    )  # fmt: skip


@register.simple_tag
def zoned(moment: datetime | None, zone: str = "", never: str = "–") -> SafeString:
    """A time in a zone that is named: Tue 3 Mar 2026, 09:00 (Europe/Berlin) · in 3 days."""
    if moment is None:
        return format_html("{}", never)
    local = timezone.localtime(moment, ZoneInfo(zone) if zone else None)
    return format_html(
        '<span class="zoned"><time datetime="{}">{}</time>'
        ' <span class="faint">({}) · {}</span></span>',
        moment.isoformat(), date_format(local, _("D j M Y, H:i")),
        zone or local.tzname() or "UTC", distance(moment),
    )  # fmt: skip


@register.simple_tag
def ago(moment: datetime | None, never: str = "–") -> SafeString:
    """“3 hours ago”, with the whole time on hover; for what is looked at more than compared."""
    if moment is None:
        return format_html("{}", never)
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{} {}">{}</time>',
        moment.isoformat(), date_format(local, _("j M Y, H:i")), local.tzname() or "",
        distance(moment),
    )  # fmt: skip


@register.filter
def span(seconds: float) -> str:
    """A length of time as one says it: 45 seconds, 12 minutes, 3 hours, 2 days."""
    whole = round(seconds)
    if whole < 90:
        return ngettext("%d second", "%d seconds", whole) % whole
    if (minutes := round(whole / 60)) < 90:
        return ngettext("%d minute", "%d minutes", minutes) % minutes
    if (hours := round(whole / 3600)) < 48:
        return ngettext("%d hour", "%d hours", hours) % hours
    days = round(whole / 86_400)
    return ngettext("%d day", "%d days", days) % days


def distance(moment: datetime) -> str:
    """How far a moment is from now, in its largest unit."""
    now = clock.now()
    seconds = (moment - now).total_seconds()
    if abs(seconds) < 60:
        return _("just now") if seconds <= 0 else _("in a moment")
    far = _far(int(abs(seconds))).replace(" ", "\u00a0")
    return _("in %s") % far if seconds > 0 else _("%s ago") % far


def _far(seconds: int) -> str:
    # Not Django's timesince: it has one form for all places, where German needs another after “in”.
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days >= 365:
        return npgettext("in … or … ago", "%d year", "%d years", days // 365) % (days // 365)
    if days >= 30:
        return npgettext("in … or … ago", "%d month", "%d months", days // 30) % (days // 30)
    if days >= 7:
        return npgettext("in … or … ago", "%d week", "%d weeks", days // 7) % (days // 7)
    if days:
        return npgettext("in … or … ago", "%d day", "%d days", days) % days
    if hours:
        return npgettext("in … or … ago", "%d hour", "%d hours", hours) % hours
    return npgettext("in … or … ago", "%d minute", "%d minutes", minutes) % minutes


# --- boxes ----------------------------------------------------------------------------------------


@register.simple_block_tag
def empty(content: str, picture: str, title: str) -> SafeString:
    """Where nothing is yet: what will be here, and the one thing to do."""
    return format_html('<div class="empty">{}<h2>{}</h2>{}</div>', icon(picture), title, content)


@register.simple_block_tag
def dialog(content: str, name: str, title: str) -> SafeString:
    """A native dialog, opened by a link with `data-dialog="name"` whose page asks the same."""
    return format_html(
        '<dialog class="dialog" id="{0}" aria-labelledby="{0}-title">'
        '<div class="dialog-head"><h2 id="{0}-title">{1}</h2>'
        '<form method="dialog"><button class="button plain">{2}<span class="unseen">{3}</span>'
        "</button></form></div>{4}</dialog>",
        name, title, icon("cross"), _("Close"), content,
    )  # fmt: skip


@register.simple_block_tag
def menu(content: str, label: str, picture: str = "more", words: bool = False) -> SafeString:
    """Deeds that are not needed often, behind one button; links and buttons inside of it."""
    name = format_html("<span{}>{}</span>", "" if words else SafeString(' class="unseen"'), label)
    return format_html(
        '<details class="menu"><summary class="button{}">{}{}</summary>'
        '<div class="menu-list">{}</div></details>',
        "" if words else " square", icon(picture), name, content,
    )  # fmt: skip


@register.inclusion_tag("web/parts/code_box.html")
def code_box(name: str, text: str, label: str, rows: int = 1) -> dict[str, Any]:
    """Text to copy, with the button where the browser lets us."""
    return {"name": name, "text": text, "label": label, "rows": rows}


@register.inclusion_tag("web/parts/chart.html")
def chart(which: Chart) -> dict[str, Any]:
    """A chart and the table of its numbers."""
    return {"chart": which}


# --- fields ---------------------------------------------------------------------------------------


@register.inclusion_tag("web/parts/choose.html")
def choose(form: Form, name: str, label: str, options: Any, **more: Any) -> dict[str, Any]:
    """A field to choose one of `options`, pairs of value and word."""
    return {
        "name": name, "label": label, "options": options, "value": form.values.get(name, ""),
        "fault": form.faults.get(name, ""), **more,
    }  # fmt: skip


@register.inclusion_tag("web/parts/switch.html")
def switch(form: Form, name: str, label: str, hint: str = "") -> dict[str, Any]:
    """On or off, posted as `name=yes` when on."""
    return {"name": name, "label": label, "hint": hint, "on": form.values.get(name)}


@register.filter
def told(message: Any) -> tell.Told:
    """The parts of a message for its toast."""
    return tell.read(message)
