"""Every literal default of the schema documents is the default of its column in the database."""

import json
from decimal import Decimal

import yaml
from django.db import connection

from config.schema.sources import FOLDER, load_sources, resolve_path
from config.testing.factories import project_models


def parse(text):
    """Return a value that compares equal however the document or the database writes it."""
    if text is None or text in ("true", "false"):
        return text
    if text[0] in "[{":
        return json.loads(text)
    return Decimal(text) if text[0].isdigit() else text


def documented_defaults():
    found = yaml.safe_load((FOLDER / "defaults.yaml").read_text())
    return {
        (document, table, column): value
        for document, tables in found.items()
        for table, columns in tables.items()
        for column, value in columns.items()
    }


def database_defaults():
    """Return the evaluated default of each column that has one that is a literal."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT adrelid::regclass::text, attname, pg_get_expr(adbin, adrelid) FROM pg_attrdef"
            " JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum"
            " JOIN pg_class ON pg_class.oid = adrelid AND NOT relispartition"
            " WHERE relnamespace = 'public'::regnamespace AND pg_get_expr(adbin, adrelid) !~ '[(]'"
        )
        rows = cursor.fetchall()
        cursor.execute("SELECT " + ", ".join(f"({default})::text" for _, _, default in rows))
        values = cursor.fetchone()
    return {(table, column): value for (table, column, _), value in zip(rows, values, strict=True)}


def test_every_documented_default_is_in_the_database(db):
    documented, columns = documented_defaults(), database_defaults()
    wrong = {}
    for source in load_sources():
        if source.key in documented:
            field = resolve_path(source.field)
            table = field.model._meta.db_table
            found = columns.get((table, getattr(field, "column", "")))
            if parse(found) != parse(documented[source.key]):
                wrong[source.key] = (source.field, found)

    assert len(documented) == 140
    reasons = {source.key for source in load_sources() if "default" in source.rule}
    assert wrong.keys() == reasons, wrong


def test_python_has_the_same_defaults_as_the_database():
    fields = [
        field
        for model in project_models()
        for field in model._meta.local_concrete_fields
        if field.has_default()
        and field.has_db_default()
        and not hasattr(field.db_default, "resolve_expression")
    ]
    differing = [str(field) for field in fields if field.get_default() != field.db_default]

    assert len(fields) >= 120
    assert differing == []
