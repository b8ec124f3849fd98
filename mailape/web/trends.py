"""How the numbers of lists moved: a sentence, a small line, charts with their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailape.lists.numbers import Day
from mailape.web.charts import Chart, Series

SPANS = [
    (30, gettext_lazy("30 days")),
    (90, gettext_lazy("90 days")),
    (365, gettext_lazy("A year")),
]
WIDTH, HEIGHT = 100.0, 24.0


@dataclass(frozen=True)
class Trend:
    """How the confirmed ones moved over some days: by how many, and as points of a small line."""

    days: int
    change: int
    joined: int
    left: int
    points: str


def span(text: str) -> int:
    """How many days an address asks for; 30 for anything else."""
    return next((days for days, _label in SPANS if str(days) == text), SPANS[0][0])


def trend(daily: Sequence[Day]) -> Trend:
    """The trend over these days, oldest first."""
    first = daily[0].total - (daily[0].confirmed - daily[0].unsubscribed)
    return Trend(
        len(daily),
        daily[-1].total - max(first, 0),
        sum(day.joined for day in daily),
        sum(day.unsubscribed for day in daily),
        _points([day.total for day in daily]),
    )


def _points(totals: list[int]) -> str:
    low, high = min(totals), max(totals)
    step, size = WIDTH / max(len(totals) - 1, 1), max(high - low, 1)
    level = HEIGHT / 2 if high == low else None
    return " ".join(
        f"{place * step:.1f},{level or HEIGHT - 2 - (total - low) / size * (HEIGHT - 4):.1f}"
        for place, total in enumerate(totals)
    )


def charts(daily: Sequence[Day]) -> list[Chart]:
    """Growth, and what came and went; by weeks where there are many days."""
    parts = _weeks(daily) if len(daily) > 100 else [[day] for day in daily]
    heads = [_short(part[-1].day) for part in parts]
    totals = [part[-1].total for part in parts]
    first = _("Day") if len(parts) == len(daily) else _("Week up to")
    return [
        Chart(
            _("Confirmed subscribers"), heads, [Series(_("confirmed"), totals)], first=first,
            says=_("From %(from)s to %(to)s") % {"from": f"{totals[0]:,}", "to": f"{totals[-1]:,}"},
            from_zero=False,
        ),
        Chart(
            _("Joined and left"), heads,
            [
                Series(_("signed up"), [sum(day.joined for day in part) for part in parts]),
                Series(_("confirmed"), [sum(d.confirmed for d in p) for p in parts], "soft"),
                Series(_("left"), [sum(d.unsubscribed for d in p) for p in parts], "neutral"),
            ],
            kind="bars", first=first, short=True,
        ),
    ]  # fmt: skip


def _weeks(daily: Sequence[Day]) -> list[Sequence[Day]]:
    """Seven days each, the last one up to today; what is too old for a whole week is left out."""
    return [daily[end - 7 : end] for end in range(len(daily) % 7 + 7, len(daily) + 1, 7)]


def _short(day: date) -> str:
    return date_format(day, "j M")
