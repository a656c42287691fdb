"""Triggers that record meter events for rows of other apps, in the transaction that adds the rows."""

# Reads the scope of the transaction. A wrong value could only attribute usage to another key of the same tenant.
ORIGIN = """
CREATE FUNCTION tenants_usage_origin(OUT key_id uuid, OUT engagement_id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT substring(current_setting('app.actor', true) FROM '^key:([0-9a-f-]{36})$')::uuid,
    nullif(current_setting('app.current_engagement_id', true), '')::uuid
$$;
"""
ORIGIN_DROP = "DROP FUNCTION tenants_usage_origin();"

_CREATE = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO tenants_meterevent (engagement_id, key_id, {columns})
  SELECT o.engagement_id, o.key_id, e.* FROM ({rows}) AS e CROSS JOIN tenants_usage_origin() AS o;
  RETURN NULL;
END $$;
CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {transition}NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION {name}();
"""


def create_meter(table: str, columns: str, rows: str, *, name: str = "", event: str = "INSERT") -> str:
    """Return SQL that records meter events for rows added to `table`, for use in a migration.

    A statement records its events or, like its rows, none. So each row is metered once, without a check.

    Args:
        columns: columns of `MeterEvent`, separated by commas.
        rows: SELECT of these columns from `new_rows`, the rows of the statement.
        name: name of the trigger and its function.
        event: INSERT or UPDATE. An update also has `old_rows`.
    """
    transition = "OLD TABLE AS old_rows " if event == "UPDATE" else ""
    values = {"table": table, "columns": columns, "rows": rows, "event": event, "transition": transition}
    return _CREATE.format(name=name or f"{table}_meter", **values)


def drop_meter(table: str, *, name: str = "") -> str:
    """Return SQL that reverses `create_meter`."""
    name = name or f"{table}_meter"
    return f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}();"


def create_embedding_meter(table: str) -> str:
    """Return SQL that meters the vectors stored in `table`, which has a column `embedding_model`."""
    return create_meter(
        table,
        "tenant_id, metric_type, quantity, events, occurred_at, user_id, model, service",
        "SELECT tenant_id, 'embeddings', count(*), count(*), clock_timestamp(), conclave_current_user(),"
        " embedding_model, 'embedder' FROM new_rows WHERE embedding_model <> '' GROUP BY tenant_id, embedding_model",
    )
