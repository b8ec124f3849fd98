"""A workspace's colour and logo on its public pages.

The policy allows no inline style, so the colour is a style sheet of its own, made of nothing but
the colour in its address: no database is asked, and caches may keep it for ever.
"""

from __future__ import annotations

import re

from django.urls import reverse

from mailape.accounts.models import Workspace
from mailape.core.colour import ink_on, mixed, readable

# The grounds that buttons and links stand on, as tokens.css has them; a test compares.
GROUNDS = {"light": ("#fbfaf7", "#ffffff"), "dark": ("#171613", "#1f1e1a")}
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
    accent = readable(colour, grounds, away)
    hover = mixed(accent, away, 0.18)
    soft = mixed(grounds[0], accent, 0.12)
    return {
        "accent": accent,
        "accent-hover": hover,
        "accent-soft": soft,
        "on-accent": ink_on(accent, hover),
    }


def _tokens(colour: str, theme: str) -> str:
    return " ".join(f"--{name}: {value};" for name, value in tokens(colour, theme).items())
