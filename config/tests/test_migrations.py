"""Every migration goes back and forth (promise G42), over rows of every model, in a database of its own."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from config.db.processes import OWNER
from config.isolation.ground import prepare, throw_away_database
from config.testing.database import connect
from config.testing.factories import house_models

OURS = ("workflows", "conversations", "agents", "knowledge", "audit", "accounts", "tenants", "config")
OBJECTS = """
SELECT 'table', relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
UNION SELECT 'policy', polrelid::regclass || '.' || polname FROM pg_policy
UNION SELECT 'constraint', conrelid::regclass || '.' || conname FROM pg_constraint WHERE conrelid <> 0
UNION SELECT 'function', oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  AND proname LIKE 'conclave%'
UNION SELECT 'trigger', tgrelid::regclass || '.' || tgname FROM pg_trigger WHERE NOT tgisinternal
UNION SELECT 'right', relname || coalesce(relacl::text, '') FROM pg_class
  WHERE relnamespace = 'public'::regnamespace"""


def objects(database):
    with connect(OWNER, database=database) as owner:
        return set(owner.execute(OBJECTS).fetchall())


@pytest.mark.slow
def test_migrations_go_back_to_nothing_and_forth_to_the_same(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), throw_away_database() as name:
        before = objects(name)
        filled = prepare(1)
        with connection.creation._as_owner():
            # All in one plan: each plan works out the models of every migration anew.
            MigrationExecutor(connection).migrate([(app, None) for app in OURS])
            left = {thing for kind, thing in objects(name) if kind == "table"}
            call_command("migrate", verbosity=0, stdout=StringIO())
        after = objects(name)

    assert len(filled.rows) > 90
    assert left & {model._meta.db_table for model in house_models()} == set()
    assert before - after == after - before == set()
