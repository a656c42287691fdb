"""Every migration goes back and forth, over rows of every model too (promise G42), in a database of its own."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from config.db.processes import OWNER
from config.db.states import quick_states
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


def rows(ground):
    """How many rows each table of tenants has; reports are computed anew when they are made again."""
    with connect(OWNER, database=ground.database) as owner:
        tables = [target.table for target in ground.targets if not target.is_report]
        return {table: owner.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


def last_ones():
    """The newest migration of each app, which a release before did not have, and where it came from."""
    graph = MigrationLoader(None).graph
    for app in OURS:
        (leaf,) = graph.leaf_nodes(app)
        before = [key for key in graph.nodes[leaf].dependencies if key[0] == app]
        if before:
            yield before[0]


@pytest.mark.slow
def test_migrations_go_back_and_forth_over_rows(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), throw_away_database() as name:
        before = objects(name)
        ground = prepare(tenants=2)
        populated = rows(ground)
        with connection.creation._as_owner(), quick_states():
            MigrationExecutor(connection).migrate(list(last_ones()))
            stood = {thing for kind, thing in objects(name) if kind == "table"}
            call_command("migrate", verbosity=0, stdout=StringIO())
            assert objects(name) ^ before == set()
            kept = rows(ground)
            # All in one plan: each plan works out the models of every migration anew.
            MigrationExecutor(connection).migrate([(app, None) for app in OURS])
            left = {thing for kind, thing in objects(name) if kind == "table"}
            call_command("migrate", verbosity=0, stdout=StringIO())
        after = objects(name)

    assert min(populated.values()) > 0
    # Tables that the newest migrations make begin empty again; no other row is lost.
    lost = {table: (populated[table], kept[table]) for table in stood & kept.keys()}
    assert {table for table, (one, other) in lost.items() if one != other} == set()
    assert left & {model._meta.db_table for model in house_models()} == set()
    assert before ^ after == set()
