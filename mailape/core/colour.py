"""Colours that text can be read in: contrast, mixtures, and what is readable on which ground."""

from __future__ import annotations

READABLE = 4.5  # WCAG 2.2, 1.4.3


def contrast(one: str, other: str) -> float:
    """The contrast of two colours (`#rrggbb`), from 1 to 21 (WCAG 2.2)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mixed(one: str, other: str, share: float) -> str:
    """`one` with this share of `other` in it."""
    pairs = zip(_parts(one), _parts(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def readable(colour: str, grounds: tuple[str, ...], away: str) -> str:
    """The colour as it is where it can be read on every ground, else mixed with `away` until so.

    It is read on its own soft ground, too, where notes and links stand.
    """
    found, step = colour, 0.0
    while step < 1:
        soft = mixed(grounds[0], found, 0.12)
        if all(contrast(found, ground) >= READABLE for ground in (*grounds, soft)):
            break
        step += 0.04
        found = mixed(colour, away, min(step, 1))
    return found


def ink_on(*grounds: str) -> str:
    """White or black, whichever is read better on the worst of these grounds."""
    return max(
        ("#ffffff", "#000000"), key=lambda ink: min(contrast(ink, ground) for ground in grounds)
    )


def _parts(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in _parts(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
