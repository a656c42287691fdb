"""Materialized reports, computed over all tenants and read through a filtering view.

PostgreSQL has no row-level security for materialized views. So only the owner has privileges on the materialized view
(`<table>_kept`), and tenants read the security-barrier view `<table>`.

The view has two branches so that a tenant's rows are found by index. They are wrapped in another SELECT because
PostgreSQL (18.4) ignores the barrier of a view that is itself a UNION ALL: it called functions in the reader's filter
with rows of every tenant.
"""

from django.apps import apps
from django.db import connection, models

from config.db.session import APP, OPERATOR, READER

VIEW_SQL = """
CREATE OR REPLACE VIEW {table} WITH (security_barrier) AS SELECT u.* FROM (
  SELECT k.*, k.xmin AS xmin FROM {table}_kept k WHERE k.tenant_id = (SELECT conclave_current_tenant())
    AND (SELECT current_user) <> '{operator}'
  UNION ALL SELECT k.*, k.xmin FROM {table}_kept k
    WHERE (SELECT CASE current_user WHEN 'conclave_owner' THEN true ELSE conclave_platform_scope() END)
) u;"""
CREATE_SQL = """
CREATE MATERIALIZED VIEW {table}_kept AS {query};
CREATE UNIQUE INDEX {table}_kept_id ON {table}_kept (id);
CREATE INDEX {table}_kept_tenant ON {table}_kept (tenant_id, date, id);
{view}
CREATE TRIGGER {table}_forbid INSTEAD OF INSERT OR UPDATE OR DELETE ON {table}
  FOR EACH ROW EXECUTE FUNCTION conclave_report_forbid();
REVOKE ALL ON {table}_kept FROM PUBLIC;
GRANT SELECT ON {table} TO {app}, {operator}, {reader};
"""


def create_report(table: str, query: str) -> str:
    """Return SQL that creates the report `table`, for use in a migration.

    Args:
        query: SELECT with the columns `id` (stable across refreshes), `tenant_id`, `date` and those of the model.
    """
    return CREATE_SQL.format(
        table=table, view=report_view(table), query=query.strip(), app=APP, operator=OPERATOR, reader=READER
    )


def report_view(table: str) -> str:
    """Return SQL that creates or replaces the view of the report `table`."""
    return VIEW_SQL.format(table=table, operator=OPERATOR)


def drop_report(table: str) -> str:
    """Return SQL that reverses `create_report`."""
    return f"DROP VIEW {table}; DROP MATERIALIZED VIEW {table}_kept;"


def report_models() -> list[type[models.Model]]:
    """Return the models that are materialized reports."""
    return [model for model in apps.get_models() if getattr(model, "is_report", False)]


def refresh_report(model: type[models.Model], *, gently: bool = True) -> None:
    """Refresh a materialized report. Requires the worker or the operator role.

    Args:
        gently: Refresh concurrently: readers see the old rows meanwhile, and unchanged rows are not rewritten.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT conclave_refresh_report(%s, %s)", [model._meta.db_table, gently])
