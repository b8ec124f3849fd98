"""How lists grow, as charts: shared by the overview and the page of a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from mailape.lists.numbers import Day
from mailape.web.charts import Chart, Series

SPANS = (30, 90)  # days to choose from
SPARK = (96.0, 24.0)  # the view box of the small line beside a list


@dataclass(frozen=True)
class Growth:
    """What happened in some days: today's last."""

    days: Sequence[Day]

    @property
    def total(self) -> int:
        """Confirmed now."""
        return self.days[-1].total if self.days else 0

    @property
    def gained(self) -> int:
        """By how many it grew since the end of the first day, or shrank."""
        return self.total - self.days[0].total if self.days else 0

    @property
    def joined(self) -> int:
        """Who came, confirmed or not yet."""
        return sum(day.joined for day in self.days)

    @property
    def left(self) -> int:
        """Who left."""
        return sum(day.unsubscribed for day in self.days)

    @property
    def change(self) -> str:
        """The growth with its sign: +12, −3, ±0."""
        sign = "+" if self.gained > 0 else "−" if self.gained < 0 else "±"
        return f"{sign}{abs(self.gained):,}"

    @property
    def line(self) -> Chart:
        """How many are confirmed, day by day."""
        totals = [day.total for day in self.days]
        says = ""
        if totals:
            says = _("From %(first)s to %(last)s confirmed in %(days)s days") % {
                "first": f"{totals[0]:,}", "last": f"{totals[-1]:,}", "days": len(totals),
            }  # fmt: skip
        return Chart(
            _("Confirmed"), self._names, [Series(_("confirmed"), totals)],
            first=_("Day"), says=says, from_zero=False,
        )  # fmt: skip

    @property
    def moves(self) -> Chart:
        """Who came and who left, day by day."""
        return Chart(
            _("Joined and left"), self._names,
            [
                Series(_("joined"), [max(day.joined, 0) for day in self.days]),
                Series(_("left"), [max(day.unsubscribed, 0) for day in self.days], "neutral"),
            ],
            "bars", first=_("Day"), short=True,
            says=_("%(joined)s joined and %(left)s left in %(days)s days")
            % {"joined": f"{self.joined:,}", "left": f"{self.left:,}", "days": len(self.days)},
        )  # fmt: skip

    @property
    def spark(self) -> str:
        """The path of the small line beside a list: its shape and nothing else."""
        totals = [day.total for day in self.days]
        low, high = min(totals, default=0), max(totals, default=0)
        width, height = SPARK
        step = width / max(len(totals) - 1, 1)
        span = max(high - low, 1)
        points = [
            f"{n * step:.1f} {height - 2 - (total - low) / span * (height - 4):.1f}"
            for n, total in enumerate(totals)
        ]
        return "M" + "L".join(points) if len(points) > 1 else ""

    @property
    def _names(self) -> list[str]:
        return [date_format(day.day, _("j M")) for day in self.days]


def span(request: HttpRequest) -> int:
    """The days that `?days=` asks for: 30 unless it is one of the others."""
    asked = request.GET.get("days", "")
    return int(asked) if asked in {str(one) for one in SPANS} else SPANS[0]
