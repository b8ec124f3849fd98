"""A workspace's colour and logo on its public pages.

The policy allows no inline style, so the colour is a style sheet of its own, made of nothing but
the colour in its address: no database is asked, and caches may keep it for ever.
"""

from __future__ import annotations

import re

from django.urls import reverse

from mailape.accounts.models import Workspace

# The grounds that buttons and links stand on, as tokens.css has them; a test compares.
GROUNDS = {"light": ("#fbfaf7", "#ffffff"), "dark": ("#171613", "#1f1e1a")}
READABLE = 4.5  # WCAG 2.2, 1.4.3
_COLOUR = re.compile(r"[0-9a-f]{6}")


def logo_url(workspace: Workspace | None) -> str:
    """Where the workspace's logo is; empty where there is none."""
    if workspace is None or not workspace.logo_digest:
        return ""
    kwargs = {"id": workspace.public_id, "digest": workspace.logo_digest}
    return reverse("web:logo", kwargs=kwargs)


def sheet_url(workspace: Workspace | None) -> str:
    """The style sheet with the workspace's colour; empty for MailApe's own."""
    if workspace is None or not _COLOUR.fullmatch(workspace.accent.removeprefix("#")):
        return ""
    return reverse("web:brand", kwargs={"colour": workspace.accent.removeprefix("#")})


def is_colour(text: str) -> bool:
    """Whether this is six hexadecimal digits in lower case."""
    return bool(_COLOUR.fullmatch(text))


def sheet(colour: str) -> str:
    """The tokens of this colour, light and dark: as it is where text can be read on it, else
    mixed with black or white until it can.
    """
    light, dark = (_tokens(f"#{colour}", theme) for theme in ("light", "dark"))
    return (
        f":root {{ {light} }}\n"
        "@media (prefers-color-scheme: dark) {\n"
        f'  :root:not([data-theme="light"]) {{ {dark} }}\n'
        "}\n"
        f':root[data-theme="dark"] {{ {dark} }}\n'
    )


def tokens(colour: str, theme: str) -> dict[str, str]:
    """accent, accent-hover, accent-soft and on-accent of this colour in this theme."""
    grounds = GROUNDS[theme]
    away = "#000000" if theme == "light" else "#ffffff"
    accent = _readable(colour, grounds, away)
    hover = mixed(accent, away, 0.18)
    soft = mixed(grounds[0], accent, 0.12)
    on = max(
        ("#ffffff", "#000000"), key=lambda ink: min(contrast(ink, accent), contrast(ink, hover))
    )
    return {
        "accent": accent,
        "accent-hover": hover,
        "accent-soft": soft,
        "on-accent": on,
    }


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mixed(one: str, other: str, share: float) -> str:
    """`one` with this share of `other` in it."""
    pairs = zip(_parts(one), _parts(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _tokens(colour: str, theme: str) -> str:
    return " ".join(f"--{name}: {value};" for name, value in tokens(colour, theme).items())


def _readable(colour: str, grounds: tuple[str, ...], away: str) -> str:
    found, step = colour, 0.0
    # On its own soft ground, too, where notes and links stand.
    while step < 1:
        soft = mixed(grounds[0], found, 0.12)
        if all(contrast(found, ground) >= READABLE for ground in (*grounds, soft)):
            break
        step += 0.04
        found = mixed(colour, away, min(step, 1))
    return found


def _parts(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in _parts(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
