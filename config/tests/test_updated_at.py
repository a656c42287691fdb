"""`updated_at` follows the database's clock and never precedes `created_at`."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent
from agents.tests.factories import AgentFactory
from config.db.constraints import RowLevelSecurity, UpdatedAtTrigger
from config.testing.factories import factory_for, project_models
from conversations.tests.factories import MessageFactory

pytestmark = pytest.mark.django_db
STAMPED = [
    model
    for model in project_models()
    if any(field.name == "updated_at" for field in model._meta.local_concrete_fields)
    and not getattr(model, "is_report", False)
]
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def times(row):
    """Return the creation and update time that the database has."""
    return type(row)._base_manager.values_list("created_at", "updated_at").get(pk=row.pk)


@pytest.mark.parametrize("model", STAMPED, ids=lambda model: model._meta.label)
def test_every_table_sets_the_time_of_a_change(model, scope):
    assert any(isinstance(each, UpdatedAtTrigger) for each in model._meta.constraints)
    factory_for(model)()
    if not {**RowLevelSecurity.DEFAULTS, **model.row_security}["verbs"]:
        # The platform's own tables.
        return
    # The scope does not show each new tenant and user, but its own.
    row = model._base_manager.latest("id")
    created, first = times(row)
    assert created <= first
    try:
        with transaction.atomic():
            model._base_manager.filter(pk=row.pk).update(updated_at=LONG_AGO)
    except ProgrammingError:
        # The table grants no UPDATE, or not of this column.
        return
    assert times(row)[1] > first


def test_saved_row_has_the_time_of_the_database(scope):
    agent = AgentFactory()
    agent.name = "Changed"

    with CaptureQueriesContext(connection) as queries:
        agent.save(update_fields=["name"])
        assert agent.updated_at > agent.created_at

    assert len(queries) == 1
    assert agent.updated_at == times(agent)[1]


def test_raw_update_cannot_set_an_earlier_time(scope):
    agent = AgentFactory()

    with connection.cursor() as cursor:
        cursor.execute("UPDATE agents_agent SET updated_at = %s WHERE id = %s", [LONG_AGO, agent.pk])

    created, updated = times(agent)
    assert created < updated


@pytest.mark.parametrize("factory", [AgentFactory, MessageFactory], ids=["column", "generated"])
def test_inserted_row_is_not_older_than_its_creation(factory, scope):
    row = factory(updated_at=LONG_AGO)

    created, updated = times(row)
    assert updated == created


def test_row_created_ahead_of_the_clock_stays_consistent(scope):
    ahead = timezone.now() + timedelta(days=1)
    agent = AgentFactory(created_at=ahead, updated_at=ahead)

    Agent.objects.filter(pk=agent.pk).update(name="Changed")

    assert times(agent) == (ahead, ahead)
