"""The command `mailape`: Django's management commands under our name."""

import os
import sys


def main() -> None:
    """Runs the command that the command line names."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailape.config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["mailape", *sys.argv[1:]])


if __name__ == "__main__":
    main()
