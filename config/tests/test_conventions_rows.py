"""Project conventions of rows: tenant isolation, audit and encryption of every model."""

import json

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import ProgrammingError, connection, models, transaction
from django.db.models import F

from accounts.tests.factories import MembershipFactory
from agents.tests.factories import AgentFactory, PayoutFactory
from audit.models import AuditSeal
from config.encryption.fields import EncryptedField, encrypted_fields
from config.tenancy.scope import ScopeRequiredError, tenant_scope
from config.testing.factories import factory_for, project_models
from config.testing.fixtures import add_member
from config.testing.roles import as_platform
from knowledge.tests.factories import CollectionFactory, DocumentFactory, TermFactory
from tenants.models import Tenant

MODELS = project_models()
TENANT_MODELS = [model for model in MODELS if model.scope_kind != "global"]
AUDITED = [model for model in MODELS if not model.audit_exempt]
ENCRYPTED = [model for model in MODELS if encrypted_fields(model)]
# Updates for models without a plain audited column.
CHANGES = {
    "accounts.Talent": lambda: {"experience_years": 8},
    "accounts.WorkProfile": lambda: {"agent_settings": '{"writer": {}}'},
    "agents.AgentCollection": lambda: {"collection_id": CollectionFactory().pk},
    "agents.AgentVersion": lambda: {"created_by_id": None},  # all else stays as it was published
    "agents.LedgerEntry": lambda: {"payout_id": PayoutFactory().pk},  # all else stays as it was entered
    "agents.McpServerUser": lambda: {"user_id": MembershipFactory().user.pk},
    "agents.Payout": lambda: {"transaction_id": "tr_1"},
    "agents.TemplateDocument": lambda: {"document_id": DocumentFactory().pk},
    "conversations.Participant": lambda: {"role": "owner"},
    "knowledge.LearningPattern": lambda: {"pattern_type": "tool_usage"},
    "knowledge.TermRelation": lambda: {"related_id": TermFactory().pk},
    "workflows.ApprovalAssignee": lambda: {"delegated_to_id": MembershipFactory().user.pk},
    "workflows.CalendarMember": lambda: {"access": "write"},
    "workflows.ProjectMember": lambda: {"access": "write"},
    "workflows.WorkflowAgent": lambda: {"agent_id": AgentFactory().pk},
}


def label(model):
    return model._meta.label


def rows_of(model):
    return model._meta.managers_map.get("unscoped", model._base_manager).all()


@pytest.fixture
def foreign(request, other_tenant):
    """A row of the other tenant."""
    with tenant_scope(other_tenant, user=add_member(other_tenant).user):
        return factory_for(request.param)()


def changes_at_most(count, act):
    """Return whether `act()` changes at most `count` rows or is denied."""
    try:
        with transaction.atomic():
            return act() <= count
    except ProgrammingError as error:
        return error.__cause__.sqlstate == "42501"


def execute_sql(statement, *params):
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount


def plain_field(model):
    """Return a column that an update can set."""
    return next(
        field.name
        for field in model._meta.concrete_fields
        if not field.primary_key
        and not field.generated
        and not isinstance(field, EncryptedField | ArrayField)
    )


@pytest.mark.parametrize("foreign", TENANT_MODELS, ids=label, indirect=True)
def test_orm_shows_own_rows_only(foreign, scope):
    own, model = factory_for(type(foreign))(), type(foreign)
    ids = set(rows_of(model).values_list("pk", flat=True))

    assert own.pk in ids
    assert foreign.pk not in ids
    assert not rows_of(model).filter(pk=foreign.pk).exists()
    assert not rows_of(model).filter(tenant_id=foreign.tenant_id).exists()
    with pytest.raises(model.DoesNotExist):
        rows_of(model).get(pk=foreign.pk)


@pytest.mark.parametrize("foreign", TENANT_MODELS, ids=label, indirect=True)
def test_raw_sql_shows_own_rows_only(foreign, scope):
    own, table = factory_for(type(foreign))(), foreign._meta.db_table

    assert execute_sql(f"SELECT FROM {table} WHERE id = %s", own.pk) == 1
    assert execute_sql(f"SELECT FROM {table} WHERE id = %s", foreign.pk) == 0
    assert execute_sql(f"SELECT FROM {table} WHERE tenant_id <> %s", scope.tenant_id) == 0


@pytest.mark.parametrize("foreign", TENANT_MODELS, ids=label, indirect=True)
def test_foreign_rows_cannot_be_changed(foreign, scope):
    model, table = type(foreign), foreign._meta.db_table
    name = plain_field(model)
    found = rows_of(model).filter(pk=foreign.pk)

    assert changes_at_most(0, lambda: found.update(**{name: F(name)}))
    assert changes_at_most(
        0,
        lambda: execute_sql(f"UPDATE {table} SET tenant_id = %s WHERE id = %s", scope.tenant_id, foreign.pk),
    )
    assert changes_at_most(0, lambda: found.delete()[0])
    assert changes_at_most(0, lambda: execute_sql(f"DELETE FROM {table} WHERE id = %s", foreign.pk))
    with as_platform():
        assert rows_of(model).filter(pk=foreign.pk, tenant_id=foreign.tenant_id).exists()


@pytest.mark.parametrize("model", TENANT_MODELS, ids=label)
def test_own_row_cannot_be_given_away(model, scope, other_tenant):
    own, table = factory_for(model)(), model._meta.db_table

    with pytest.raises(ProgrammingError) as caught, transaction.atomic():
        execute_sql(f"UPDATE {table} SET tenant_id = %s WHERE id = %s", other_tenant.pk, own.pk)
    assert caught.value.__cause__.sqlstate == "42501"


@pytest.mark.parametrize("model", TENANT_MODELS, ids=label)
def test_outside_a_scope_no_row_is_visible(model, tenant, member):
    with tenant_scope(tenant, user=member.user):
        factory_for(model)()
    assert changes_at_most(0, lambda: rows_of(model).filter(tenant_id=tenant.pk).count())
    if hasattr(model, "unscoped"):
        with pytest.raises(ScopeRequiredError):
            model.objects.count()


def test_tenant_sees_only_itself(scope, tenant, other_tenant):
    assert list(Tenant.objects.values_list("pk", flat=True)) == [tenant.pk]
    assert changes_at_most(0, lambda: Tenant.objects.filter(pk=other_tenant.pk).update(name="x"))


def get_audit_changes(row, verb):
    """Return the changes (old, new) of `row` in the audit log."""
    return connection_rows(
        "SELECT old_values, new_values FROM audit_auditlog WHERE resource_type = %s AND resource_id = %s"
        " AND action LIKE %s",
        [row._meta.label_lower, str(row.pk), f"%.{verb}"],
    )


def connection_rows(statement, params):
    with as_platform(), connection.cursor() as cursor:
        cursor.execute(statement, params)
        return [tuple(json.loads(value) if value else None for value in found) for found in cursor.fetchall()]


def change_of(row):
    """Return an audited column of `row` with a new value."""
    if row._meta.label in CHANGES:
        return CHANGES[row._meta.label]()
    hidden = {*row.audit_omit, *row.audit_redact, "tenant_id", "updated_at", "created_at"}
    for field in row._meta.local_concrete_fields:
        if field.column in hidden or field.primary_key or field.generated or field.choices:
            continue
        if isinstance(field, models.TextField) or (type(field) is models.CharField and field.max_length > 20):
            return {field.column: f"{getattr(row, field.attname)}+"[:20]}
        if isinstance(field, models.BooleanField):
            return {field.column: not getattr(row, field.attname)}
        if isinstance(field, models.DateTimeField):
            return {field.column: "2026-01-31T00:00:00Z"}
    raise LookupError(f"nothing to change in {row._meta.label}: add it to CHANGES")


def changed_raw(row, values):
    assignments = ", ".join(f"{column} = %s" for column in values)
    with as_platform():
        return execute_sql(
            f"UPDATE {row._meta.db_table} SET {assignments} WHERE id = %s", *values.values(), row.pk
        )


@pytest.mark.parametrize("model", AUDITED, ids=label)
def test_each_write_leaves_one_audit_row(scope, model):
    row = factory_for(model)()
    values = change_of(row)

    assert len(get_audit_changes(row, "created")) == 1
    assert changed_raw(row, values) == 1
    ((before, after),) = get_audit_changes(row, "updated")
    assert set(before) == set(after) == set(values)
    with as_platform():
        execute_sql(f"DELETE FROM {row._meta.db_table} WHERE id = %s", row.pk)
    assert len(get_audit_changes(row, "deleted")) == 1


@pytest.mark.parametrize("model", AUDITED, ids=label)
def test_audit_hides_secrets_and_leaves_out_what_is_omitted(scope, model):
    row = factory_for(model)()
    secret = {field.column for field in encrypted_fields(model)} | set(model.audit_redact)
    ((_, new),) = get_audit_changes(row, "created")

    assert {new[column] for column in secret} <= {"[redacted]", None}
    assert not set(model.audit_omit) & set(new)
    assert not [column for column in new if "secret" in column and column not in secret]


def test_unaudited_models_write_no_audit_rows(scope):
    for model in MODELS:
        if model.audit_exempt and model is not AuditSeal:
            row = factory_for(model)()
            assert get_audit_changes(row, "created") == []


def leaves(value):
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list) else [str(value)]


@pytest.mark.parametrize("model", ENCRYPTED, ids=label)
def test_secrets_are_unreadable_in_the_table(scope, model):
    row = factory_for(model)()
    plain = [leaf for field in encrypted_fields(model) for leaf in leaves(getattr(row, field.name))]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT t::text FROM {model._meta.db_table} t WHERE id = %s", [row.pk])
        stored = cursor.fetchone()[0]

    assert plain
    assert not [leaf for leaf in plain if leaf in stored or leaf.encode().hex() in stored]
