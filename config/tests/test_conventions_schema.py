"""Project conventions of models, the database schema and the source.

Each list of exemptions gives reasons; the test fails when an exemption is no longer needed.
"""

import ast
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import CASCADE

from config.db.constraints import SameTenant
from config.db.reports import report_models
from config.schema import annotations
from config.tenancy.checks import SCOPE_KINDS
from config.tenancy.models import BaseModel, TenantForeignKey
from config.testing.factories import factories, project_models
from config.testing.isolation import catalog_checks
from tenants.models import Tenant

MODELS = project_models()
AUDITED = [model for model in MODELS if not model.audit_exempt]
ROOT = Path(settings.BASE_DIR)
PACKAGES = ("config", *(model for model in dict.fromkeys(model._meta.app_label for model in MODELS)))

LIBRARY_TABLES = {
    "account_emailaddress": "allauth",
    "account_emailconfirmation": "allauth",
    "auth_group": "django.contrib.auth",
    "auth_group_permissions": "django.contrib.auth",
    "auth_permission": "django.contrib.auth",
    "conclave_scope_key": "config.db.scope_functions.SCOPE_PROOFS, read by its owner's functions alone",
    "conclave_rate": "config.db.functions.RATE_LIMITS, reached by conclave_hit() alone",
    "conclave_request_count": "tenants.request_limits, reached by conclave_lease_requests() alone",
    "django_admin_log": "django.contrib.admin",
    "django_content_type": "django.contrib.contenttypes",
    "django_migrations": "Django",
    "django_session": "django.contrib.sessions",
    "mfa_authenticator": "allauth.mfa",
    "procrastinate_events": "procrastinate",
    "procrastinate_jobs": "procrastinate",
    "procrastinate_periodic_defers": "procrastinate",
    "procrastinate_workers": "procrastinate",
}
UNINDEXED_KEYS = {
    "procrastinate_jobs: procrastinate_jobs_worker_id_fkey": "the library's own; workers are few",
}
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
MACHINE_PATH = "/" + "work" + "/"


def label(model):
    return model._meta.label


def query(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def sources():
    return [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def tracked_files():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        return [path for package in PACKAGES for path in (ROOT / package).rglob("*.*") if path.is_file()]
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


# --- models --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_model_is_of_the_house_and_declares_whose_rows_it_has(model):
    assert issubclass(model, BaseModel)
    assert model.scope_kind in SCOPE_KINDS


def test_schema_pages_describe_every_kind_of_scope():
    assert set(annotations.SCOPE_KINDS) == set(SCOPE_KINDS)


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_model_has_a_factory(model):
    assert model in factories()


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_model_has_docstring_str_and_ordering(model):
    assert model.__doc__
    assert not model.__doc__.startswith(f"{model.__name__}(")
    assert "__str__" in vars(model)
    assert model._meta.ordering


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_every_field_has_a_help_text(model):
    own = [
        field for field in model._meta.local_concrete_fields if field.name not in ("password", "last_login")
    ]

    assert [field.name for field in own if not field.help_text] == []


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_exemption_from_the_audit_gives_a_reason(model):
    assert model.audit_exempt == "" or len(model.audit_exempt) > 10


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_references_between_tenant_tables_hold_the_tenant(model):
    tenant_tables = {each for each in MODELS if each.scope_kind != "global"}
    guarded = {each.field for each in model._meta.constraints if isinstance(each, SameTenant)}
    plain = [
        field.name
        for field in model._meta.local_concrete_fields
        if field.related_model in tenant_tables and field.name not in guarded
    ]

    assert plain == []
    assert {
        field.name for field in model._meta.local_fields if isinstance(field, TenantForeignKey)
    } <= guarded


# --- the catalog ---------------------------------------------------------------------------------


def test_row_level_security_is_on_forced_and_has_policies_everywhere(db):
    tables = [model._meta.db_table for model in MODELS] + ["procrastinate_jobs"]

    assert catalog_checks.unprotected_tables(query, tables) == []


def test_no_role_accesses_a_partition_directly(db):
    assert catalog_checks.open_partitions(query) == []
    assert query("SELECT count(*) > 5 FROM pg_class WHERE relispartition AND relkind = 'r'") == [(True,)]


def test_policies_bind_every_role(db):
    assert catalog_checks.unbound_roles(query) == []
    assert query("SELECT session_user::text") == [("conclave_test",)]


def test_no_hat_has_rights_beyond_reading_and_writing_rows(db):
    assert catalog_checks.excess_rights(query) == []


def test_every_policy_names_its_role(db):
    assert catalog_checks.open_policies(query) == []


def test_definer_functions_are_pinned_and_private(db):
    assert catalog_checks.loose_definers(query) == []


def test_reader_does_not_see_hidden_columns(db):
    hidden = [(m._meta.db_table, column) for m in MODELS for column in m.row_security.get("hidden", ())]
    statement = "SELECT has_column_privilege('conclave_reader', '{}', '{}', 'SELECT')"

    assert ("accounts_user", "password") in hidden
    assert [pair for pair in hidden if query(statement.format(*pair)) != [(False,)]] == []


def test_context_functions_are_stable(db):
    assert catalog_checks.context_functions(query) == []


def test_no_plain_foreign_key_between_tenant_tables(db):
    assert catalog_checks.plain_foreign_keys(query) == []


def test_every_foreign_key_has_an_index(db):
    assert set(catalog_checks.unindexed_foreign_keys(query)) == set(UNINDEXED_KEYS)


def test_every_audited_table_has_its_trigger(db):
    assert catalog_checks.untriggered_tables(query, [model._meta.db_table for model in AUDITED]) == []


def test_every_reference_stands_in_the_database(db):
    wanted = {
        each.name for model in MODELS for each in model._meta.constraints if isinstance(each, SameTenant)
    }
    found = {name for (name,) in query("SELECT conname FROM pg_constraint WHERE contype = 'f'")}

    assert wanted
    assert wanted - found == set()


def test_every_tenant_key_cascades_in_the_database_as_in_django(db):
    found = query(
        "SELECT conrelid::regclass || '.' || attname, confdeltype::text, convalidated FROM pg_constraint"
        " JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]"
        " WHERE contype = 'f' AND confrelid = 'tenants_tenant'::regclass"
    )
    fields = [
        field for model in MODELS for field in model._meta.local_fields if field.related_model is Tenant
    ]
    constrained = [field for field in fields if field.db_constraint]
    wanted = {f"{field.model._meta.db_table}.{field.column}" for field in constrained}

    assert len(wanted) > 90
    assert wanted - {name for name, _, _ in found} == set()
    assert {name for name, rule, valid in found if (rule, valid) != ("c", True)} == set()
    assert {field for field in constrained if field.remote_field.on_delete is not CASCADE} == set()


def test_every_table_belongs_to_a_known_app(db):
    tables = query(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p', 'm') AND NOT relispartition"
    )
    ours = {model._meta.db_table for model in MODELS}
    ours |= {f"{model._meta.db_table}_kept" for model in report_models()}
    ours |= {field.m2m_db_table() for model in MODELS for field in model._meta.local_many_to_many}

    assert {name for (name,) in tables} - ours == set(LIBRARY_TABLES)


def test_no_view_passes_by_the_policies(db):
    views = query(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'"
        " AND NOT coalesce(reloptions::text LIKE '%security_invoker=true%', false)"
    )

    assert {name for (name,) in views} == {model._meta.db_table for model in report_models()}


def test_views_of_reports_show_one_tenants_rows(db):
    views = query(
        "SELECT relname, reloptions::text, pg_get_viewdef(oid) FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'"
    )

    assert len(views) == len(report_models()) > 3
    assert {options for _, options, _ in views} == {"{security_barrier=true}"}
    assert [
        name for name, _, text in views if "k.tenant_id = ( SELECT conclave_current_tenant()" not in text
    ] == []


def test_materialized_report_data_belongs_to_the_owner(db):
    kept = query(
        "SELECT c.relname, a.grantee::regrole::text FROM pg_class c, aclexplode(c.relacl) a"
        " WHERE c.relkind = 'm' AND a.grantee <> c.relowner"
    )

    assert kept == []


def test_tables_belong_to_the_owner_audit_or_scope_role(db):
    owners = query(
        "SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
    )

    assert owners == [("conclave_audit",), ("conclave_owner",), ("conclave_scope",)]


# --- the source ----------------------------------------------------------------------------------


def test_files_stay_below_400_lines():
    long = {str(path.relative_to(ROOT)) for path in sources() if len(path.read_text().splitlines()) > 400}

    assert long == set(LONG_FILES)


def functions_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(ROOT)}:{node.name}", node.end_lineno - node.lineno + 1


def test_functions_stay_below_40_lines():
    long = {name for path in sources() for name, lines in functions_of(path) if lines > 40}

    assert long == set(LONG_FUNCTIONS)


def test_no_file_names_the_machine_it_was_written_on():
    named = []
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if MACHINE_PATH in text:
            named.append(str(path.relative_to(ROOT)))

    assert named == []


def test_no_junk_drawers():
    junk = {"utils.py", "helpers.py", "common.py", "core.py", "misc.py"}

    assert [str(path) for path in sources() if path.name in junk] == []
