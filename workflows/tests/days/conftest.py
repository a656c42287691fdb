"""Fixtures of the days."""

import pytest

from config.schema.sources import load_sources
from config.schema.writers import load_writers
from workflows.tests.days.driver import Day, find_written_columns

# Second factors and security questions are not readable to the platform.
UNWRITTEN = [
    source.field
    for source in load_sources()
    if source.unwritten and not source.field.startswith("accounts.TwoFactorAuth.")
]


def find_lost_claims(name, gained):
    """Return the models that `docs/schema/writers.yaml` claims for a day although they gained no row."""
    claimed = {writer.model for writer in load_writers().values() if writer.day == name}
    assert claimed, f"no model is claimed for the day {name}"
    return sorted(claimed - gained)


@pytest.fixture
def day(request, db):
    """A day with checks at its end.

    Each model that is registered for it has gained rows, someone reads the rows of each gained model through the API,
    and no unwritten column has a value.
    """
    day = Day()
    yield day
    name = request.module.__name__.rpartition("test_day_")[2]
    gained = day.list_gained_models()
    assert find_lost_claims(name, gained) == []
    assert day.list_unreadable_models(gained) == []
    assert find_written_columns(UNWRITTEN) == []
