"""The project's pytest plugin: database, login, fixtures and counts of attacks.

Loaded by `addopts` in `pyproject.toml`. Registers `config.testing.fixtures` once Django is set up and after
pytest-django, so that its fixtures override those of pytest-django.
"""

import os
from collections.abc import Generator

import pytest

from config.postgres.logins import TEST

# Read by the settings. A test runs in one transaction, so one login must be able to use the roles of all scopes.
# Programs that tests start use the logins of their commands.
os.environ["CONCLAVE_LOGIN"] = TEST


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    from django.conf import settings

    if not settings.configured:
        return
    from django.test import TransactionTestCase

    from config.testing import fixtures
    from config.testing.database import empty_tables

    # The application login cannot TRUNCATE and the audit log is append-only: clean up as the owner.
    TransactionTestCase._fixture_teardown = lambda case: empty_tables()  # type: ignore[attr-defined]
    session.config.pluginmanager.register(fixtures, "conclave-fixtures")


def pytest_configure(config: pytest.Config) -> None:
    from config.testing import security

    config.pluginmanager.register(security, "conclave-security")

    config.addinivalue_line("markers", "superuser: needs the embedded server's superuser")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slow tests first, so that no process waits for a long test at the end.

    Beside other processes, tests of the load are left out.
    """
    from config.testing.scheduling import spread

    alone = "PYTEST_XDIST_WORKER" not in os.environ
    items[:] = [item for item in items if alone or not item.get_closest_marker("load")]

    def weigh(item: pytest.Item) -> int:
        # The fuzzing takes as long as several other modules.
        return 16 if "schemathesis" in item.nodeid else 1 if item.get_closest_marker("slow") else 0

    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = spread(items, processes, weigh=weigh, module=lambda item: item.nodeid.partition("::")[0])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Leave the programs of tests that repeat covered code out of the measurement of coverage."""
    from config.testing.coverage import pause_coverage

    if item.get_closest_marker("unmeasured"):
        with pause_coverage():
            return (yield)
    return (yield)
