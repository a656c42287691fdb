"""Databases of released versions survive `migrate`, with their rows, keys, sessions and passwords."""

import re
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from config.postgres.logins import OWNER
from config.testing.database import connect, has_superuser
from config.testing.upgrade import FOLDER, count_rows, restored_snapshot

VERSIONS = sorted(path.name.removesuffix(".json") for path in FOLDER.glob("*.json"))
# Tables to which migrations or the test itself add rows.
GROWING = {"django_migrations", "django_session", "django_content_type", "auth_permission", "audit_auditlog"}
# A dump writes expressions differently: casts, parentheses and white space.
SPELLING = re.compile(
    r"::(character varying|text|numeric|double precision|integer|jsonb|bpchar)(\[\])?|[()\s]"
)

pytestmark = pytest.mark.unmeasured
PARTITION = re.compile(r"_p\d{8}")
CATALOG = """
SELECT 'column', table_name || '.' || column_name, data_type || coalesce(column_default, '') || is_nullable
  FROM information_schema.columns WHERE table_schema = 'public'
UNION SELECT 'policy', polrelid::regclass || '.' || polname,
  coalesce(pg_get_expr(polqual, polrelid), '') || coalesce(pg_get_expr(polwithcheck, polrelid), '') FROM pg_policy
UNION SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE conrelid <> 0
UNION SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
  WHERE indexrelid::regclass::text NOT LIKE 'pg_%'
UNION SELECT 'function', oid::regprocedure::text, prosrc || pg_get_userbyid(proowner) || coalesce(proacl::text, '')
  FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
UNION SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) FROM pg_trigger
  WHERE NOT tgisinternal
UNION SELECT 'right', relname,
  array_to_string(ARRAY(SELECT unnest(coalesce(relacl, acldefault('r', relowner)))::text ORDER BY 1), ' ')
  FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION SELECT 'column right', attrelid::regclass || '.' || attname,
  array_to_string(ARRAY(SELECT unnest(attacl)::text ORDER BY 1), ' ')
  FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid::regclass::text NOT LIKE 'pg_%'"""


@pytest.fixture(autouse=True)
def embedded(django_db_setup):
    if not has_superuser():
        pytest.skip("restoring a snapshot needs the embedded server's superuser")


def catalog(database):
    with connect(OWNER, database=database) as owner:
        rows = owner.execute(CATALOG).fetchall()
    return {
        (kind, name, SPELLING.sub("", value or ""))
        for kind, name, value in rows
        if not PARTITION.search(name) and not PARTITION.search(value or "")
    }


def migrate():
    with connection.creation._as_owner():
        call_command("migrate", verbosity=0, stdout=StringIO())


def check_catalog(new):
    """Compare the catalog with that of a database that all migrations built."""
    ours, theirs = catalog(connection.settings_dict["NAME"]), catalog(new)
    assert len(ours) > 5_000
    assert sorted(ours ^ theirs) == []


@pytest.fixture(params=VERSIONS)
def snapshot(request, django_db_blocker):
    """Database of a released version after `migrate`; `new` names one that all migrations built."""
    new = connection.settings_dict["NAME"]
    with django_db_blocker.unblock(), restored_snapshot(request.param) as description:
        migrate()
        yield description | {"new": new}


# The marker makes pytest-django create the database to compare with.
@pytest.mark.django_db
def test_there_is_a_snapshot():
    assert VERSIONS


def test_upgraded_database_equals_a_new_one_and_keeps_rows_and_credentials(snapshot):
    check_catalog(snapshot["new"])
    person, rows = snapshot["person"], snapshot["rows"]
    after = count_rows(connection.settings_dict["NAME"])
    assert min(rows[table] for table in ("accounts_user", "conversations_message", "audit_auditlog")) > 0
    lost = {table: (count, after.get(table)) for table, count in rows.items() if after.get(table) != count}
    assert lost.keys() <= GROWING
    assert all(now >= before for before, now in lost.values())

    by_key = Client(headers={"authorization": f"Bearer {person['api_key']}"})
    answer = by_key.get(f"/api/v1/conversations/{person['conversation']}/")
    assert (answer.status_code, answer.json()["id"]) == (200, person["conversation"])
    by_session = Client()
    by_session.cookies["sessionid"] = person["session"]
    assert by_session.get("/console/").status_code == 200
    by_password = Client()
    form = {"login": person["email"], "password": person["password"]}
    assert by_password.post("/accounts/login/", form).status_code == 302
    assert by_password.get("/console/").status_code == 200
    assert Client().get("/console/").status_code == 302
