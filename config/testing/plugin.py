"""The pytest plugin of the house: the real PostgreSQL, the application's own login, and its fixtures.

Loaded by `addopts` in `pyproject.toml`. Fixtures stand in `config.testing.fixtures`, which is registered
once Django is set up, and after pytest-django, so that ours win where names meet.
"""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    from django.conf import settings

    if not settings.configured:
        return
    from django.test import TransactionTestCase

    from config.testing import fixtures
    from config.testing.database import empty_tables

    # The application's login may not TRUNCATE, and the audit log refuses it: the owner cleans up.
    TransactionTestCase._fixture_teardown = lambda case: empty_tables()  # type: ignore[attr-defined]
    session.config.pluginmanager.register(fixtures, "conclave-fixtures")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "superuser: needs the embedded server's superuser")
