"""All migrations are reversible, with rows of every model (guarantee G42)."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from config.apps import group_plan
from config.postgres.logins import OWNER
from config.testing.database import connect
from config.testing.factories import project_models
from config.testing.isolation.fixtures import create_attack_fixture, temporary_database

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
    """Return the row count of each tenant table, without reports."""
    with connect(OWNER, database=ground.database) as owner:
        tables = [target.table for target in ground.targets if not target.is_report]
        return {table: owner.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


def before_the_latest():
    """Return the parent of each app's latest migration, unless that is an initial one."""
    graph = MigrationLoader(None).graph
    leaves = [graph.nodes[key] for app in OURS for key in graph.leaf_nodes(app)]
    return [
        key for leaf in leaves if not leaf.initial for key in leaf.dependencies if key[0] == leaf.app_label
    ]


def migrate(targets):
    executor = MigrationExecutor(connection)
    group_plan(executor.migration_plan(targets))
    executor.migrate(targets)


@pytest.mark.slow
@pytest.mark.unmeasured
def test_migrations_go_back_and_forth_over_rows(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), temporary_database() as name:
        before = objects(name)
        ground = create_attack_fixture(tenants=2)
        populated = rows(ground)
        with connection.creation._as_owner():
            migrate(before_the_latest())
            stood = {thing for kind, thing in objects(name) if kind == "table"}
            call_command("migrate", verbosity=0, stdout=StringIO())
            assert objects(name) ^ before == set()
            kept = rows(ground)
            # One plan, because each plan recomputes the state of every migration.
            migrate([(app, None) for app in OURS])
            left = {thing for kind, thing in objects(name) if kind == "table"}
            call_command("migrate", verbosity=0, stdout=StringIO())
        after = objects(name)

    assert min(populated.values()) > 0
    # Tables of the latest migrations start empty again; no other row is lost. Changes of rows are logged.
    lost = {table: (populated[table], kept[table]) for table in stood & kept.keys() - {"audit_auditlog"}}
    assert {table for table, (one, other) in lost.items() if one != other} == set()
    assert kept["audit_auditlog"] >= populated["audit_auditlog"]
    assert left & {model._meta.db_table for model in project_models()} == set()
    assert before ^ after == set()
