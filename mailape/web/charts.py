"""Charts drawn here, as SVG without a style or a script, and readable as a table of their numbers.

    Chart(_("Subscribers"), days, [Series(_("confirmed"), totals)], first=_("Day"))

A template shows one with `{% chart it %}`. The plot stretches with its box, so it holds no text:
the words stand around it in HTML and never shrink.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

WIDTH, HEIGHT = 600.0, 200.0
TICKS = 4  # steps of the upright axis
NAMES = 5  # at most so many words below the plot
LOOKS = ("accent", "neutral", "warn", "danger", "soft")
NICE = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Series:
    """One row of numbers, one for each label. `look`: accent, neutral, warn, danger or soft."""

    name: str
    values: Sequence[float]
    look: str = ""


@dataclass(frozen=True)
class Box:
    """A rectangle of the plot; all in units of the view box."""

    x: str
    y: str
    width: str
    height: str
    look: str = ""
    says: str = ""


@dataclass(frozen=True)
class Line:
    """A line of the plot and the area below it."""

    path: str
    area: str
    look: str


@dataclass(frozen=True)
class Chart:
    """`kind` is line, bars (side by side) or stacked. `first` heads the column of the labels.

    `from_zero=False` lets the upright axis of a line begin near its lowest number, which shows
    the growth of a large list; bars always stand on zero. Numbers must not be negative.
    """

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    kind: str = "line"
    first: str = ""
    says: str = ""
    from_zero: bool = True
    short: bool = False

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.labels or not any(one.values for one in self.series)

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Name and look of each series; nothing for a single one, which the title names."""
        if len(self.series) < 2:
            return []
        return [(one.name, self._look(n)) for n, one in enumerate(self.series)]

    @property
    def rows(self) -> list[tuple[str, list[float]]]:
        """The table: each label with its numbers."""
        return [
            (label, [one.values[n] for one in self.series]) for n, label in enumerate(self.labels)
        ]

    @property
    def ticks(self) -> list[float]:
        """The numbers at the upright axis, highest first."""
        low, step = self._scale
        return [low + step * n for n in range(TICKS, -1, -1)]

    @property
    def gridlines(self) -> list[str]:
        """The heights of the lines behind the plot."""
        return [_n(HEIGHT * n / TICKS) for n in range(TICKS + 1)]

    @property
    def names(self) -> list[str]:
        """Some of the labels, at even distances, first and last among them."""
        last = len(self.labels) - 1
        if last < NAMES:
            return list(self.labels)
        steps = next((n for n in (4, 3) if last % n == 0), 1 if last < 2 * NAMES else 3)
        return [self.labels[round(last * n / steps)] for n in range(steps + 1)]

    @property
    def lines(self) -> list[Line]:
        """The lines, where it is a chart of lines."""
        if self.kind != "line":
            return []
        return [self._line(one.values, self._look(n)) for n, one in enumerate(self.series)]

    @property
    def filled(self) -> bool:
        """Whether the ground below the line is filled: one line, and its ground is zero."""
        return len(self.series) == 1 and self._scale[0] == 0

    @property
    def bars(self) -> list[Box]:
        """The bars, where it is one of bars."""
        if self.kind == "line":
            return []
        return [bar for place in range(len(self.labels)) for bar in self._bars_at(place)]

    @property
    def touch(self) -> list[Box]:
        """Unseen columns over the plot that say their numbers when a pointer rests on them."""
        count = max(len(self.labels), 1)
        width = WIDTH / count
        return [
            Box(_n(n * width), "0", _n(width), _n(HEIGHT), says=self._says(n))
            for n in range(len(self.labels))
        ]

    def _look(self, number: int) -> str:
        return self.series[number].look or LOOKS[number % len(LOOKS)]

    def _highest(self) -> float:
        if self.kind == "stacked":
            return max((sum(numbers) for _label, numbers in self.rows), default=0)
        return max((max(one.values, default=0) for one in self.series), default=0)

    @cached_property
    def _scale(self) -> tuple[float, float]:
        """Where the upright axis begins, and its step: round numbers, whole ones below ten."""
        high = self._highest()
        least = min((min(one.values, default=0) for one in self.series), default=0)
        low = 0.0 if self.from_zero or self.kind != "line" else float(least)
        step = nice((high - low) / TICKS)
        low = math.floor(low / step) * step
        while low + step * TICKS < high:
            step = nice(step * 1.01)
            low = math.floor(low / step) * step
        return low, step

    def _y(self, value: float) -> float:
        low, step = self._scale
        return HEIGHT * (1 - (value - low) / (step * TICKS))

    def _line(self, values: Sequence[float], look: str) -> Line:
        last = max(len(values) - 1, 1)
        points = [(WIDTH * n / last, self._y(value)) for n, value in enumerate(values)]
        if len(points) == 1:
            points.append((WIDTH, points[0][1]))
        path = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        return Line(path, f"{path}V{_n(HEIGHT)}H0Z", look)

    def _bars_at(self, place: int) -> list[Box]:
        width = WIDTH / max(len(self.labels), 1)
        thick, left = width * 0.72, width * (place + 0.14)
        beside = 1 if self.kind == "stacked" else max(len(self.series), 1)
        bars, floor = [], 0.0
        for number, one in enumerate(self.series):
            value = one.values[place]
            if value:
                top, foot = self._y(floor + value), self._y(floor)
                x = left if self.kind == "stacked" else left + thick / beside * number
                bars.append(
                    Box(_n(x), _n(top), _n(thick / beside), _n(foot - top), self._look(number))
                )
            if self.kind == "stacked":
                floor += value
        return bars

    def _says(self, place: int) -> str:
        numbers = [
            f"{one.name}: {plain(one.values[place])}" if len(self.series) > 1
            else plain(one.values[place])
            for one in self.series
        ]  # fmt: skip
        return f"{self.labels[place]} · " + ", ".join(numbers)


def nice(step: float) -> float:
    """The next round number from `step` upwards; at least 1, since people are counted whole."""
    if step <= 1:
        return 1.0
    power = 10 ** math.floor(math.log10(step))
    found = next(power * n for n in NICE if power * n >= step * 0.999999)
    return float(math.ceil(found)) if found < 10 else float(found)


def plain(value: float) -> str:
    """1234.0 as 1,234; 0.5 as 0.5."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def _n(value: float) -> str:
    """A coordinate: short, and with a point whatever the language of the page."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
