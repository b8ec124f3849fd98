"""Benchmarks, one command each; the last line that each prints is one JSON object.

What they need of Django is set up here, on a data folder that is thrown away.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile


def set_up_django() -> None:
    """The settings of a fresh instance."""
    import django

    if "MAILAPE_DATA" not in os.environ:
        folder = os.environ["MAILAPE_DATA"] = tempfile.mkdtemp(prefix="mailape-benchmark-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailape.config.settings")
    django.setup()
