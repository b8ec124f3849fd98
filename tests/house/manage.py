"""`mailape` without a developer's own configuration: for checks that must not touch data."""

from __future__ import annotations

import shutil

from tests.house import environment

if __name__ == "__main__":
    from mailape.__main__ import main

    try:
        main()
    finally:
        shutil.rmtree(environment.DATA, ignore_errors=True)
