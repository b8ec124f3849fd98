"""The product's settings for the processes of a rig: a shorter lease, a clock that can be moved.

Whatever names itself DJANGO_SETTINGS_MODULE is taken by every `mailape` command, so the product has
no variable for either. The clock's offset in seconds stands in the file CHAOS_CLOCK, so that all
processes of the instance see it move at the same instant, as they would on a machine whose clock
is set. The monotonic clock stays, as it does there.
"""

import os
from datetime import datetime, timedelta

from mailape.config.settings import *  # noqa: F403
from mailape.core import clock

DELIVERY_LEASE_SECONDS = float(os.environ.get("CHAOS_LEASE", "30"))

_file = os.open(os.environ["CHAOS_CLOCK"], os.O_RDONLY) if os.environ.get("CHAOS_CLOCK") else -1
_real_now = clock.now


def _moved_now() -> datetime:
    return _real_now() + timedelta(seconds=float(os.pread(_file, 32, 0) or 0))


if _file >= 0:
    clock.now = _moved_now
