"""The workspace's colour in the layout of its mails, readable in the light and in the dark."""

from __future__ import annotations

import re

from mailape.core.colour import ink_on, readable

# The grounds that links and buttons stand on, as mails/layout.html has them.
GROUNDS = {"light": ("#ffffff", "#f4f4f1"), "dark": ("#212429", "#17191c")}
OWN = {"light": "#0d6b50", "dark": "#63cba5"}  # MailApe's, as on the public pages
_AWAY = {"light": "#000000", "dark": "#ffffff"}
_COLOUR = re.compile(r"#[0-9a-f]{6}")


def coloured(layout: str, accent: str) -> str:
    """The layout with this colour (`#rrggbb`, or empty for MailApe's own) in its places."""
    for theme, grounds in GROUNDS.items():
        wanted = accent if _COLOUR.fullmatch(accent) else OWN[theme]
        made = readable(wanted, grounds, _AWAY[theme])
        layout = layout.replace(f"$on-accent-{theme}", ink_on(made))
        layout = layout.replace(f"$accent-{theme}", made)
    return layout
