#!/usr/bin/env python3
"""Django's command line for Conclave."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    from config.postgres.logins import login_for_command

    os.environ.setdefault("CONCLAVE_LOGIN", login_for_command(sys.argv))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
