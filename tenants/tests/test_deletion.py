"""Deletion of a tenant with its rows and files."""

import json

import pytest
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import Membership
from accounts.tests.factories import PlatformKeyFactory
from agents.models import McpServer
from agents.tests.factories import McpServerFactory
from audit.models import AuditLog, SecurityAuditLog
from config.db.session import APP, OPERATOR, Scope
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.factories import factory_for, project_models
from config.testing.fixtures import add_member
from config.testing.roles import as_platform, as_role
from knowledge.models import Term
from tenants.models import Tenant, TenantDeletion, TenantQuota
from tenants.services import deletion as service
from tenants.services.deletion import request_deletion, run_deletion, tenant_column, tenant_models
from tenants.services.tenants import TenantStateError, suspend_tenant

pytestmark = pytest.mark.django_db


def fill(tenant):
    """Create a row of every model of a tenant."""
    with tenant_scope(tenant, user=add_member(tenant).user):
        for model in project_models():
            if model.scope_kind != "global" and not getattr(model, "is_report", False):
                factory_for(model)()


def count_rows(tenant):
    """Return the number of rows of a tenant by table, without those that are not zero."""
    found = {}
    with as_platform(), connection.cursor() as cursor:
        for model in tenant_models():
            table, column = model._meta.db_table, tenant_column(model)
            cursor.execute(f"SELECT count(*) FROM {table} WHERE {column} = %s", [tenant.pk])
            if rows := cursor.fetchone()[0]:
                found[table] = rows
    return found


def request(tenant):
    with platform_scope(reason="test"):
        suspend_tenant(tenant)
        return request_deletion(tenant, name=tenant.name)


def make_terms(tenant, count):
    with tenant_scope(tenant, user=add_member(tenant).user):
        user = factory_for(Term)(definition="secret meaning").user
        Term.objects.bulk_create(
            Term(term=f"word {number}", definition="secret meaning", user=user, tenant_id=tenant.pk)
            for number in range(count)
        )
    return user


def test_nothing_of_a_tenant_remains_and_nothing_else_is_touched(tenant, other_tenant):
    fill(tenant)
    fill(other_tenant)
    before, others = count_rows(tenant), count_rows(other_tenant)
    deletion = run_deletion(request(tenant).pk)

    assert len(before) > 90
    assert count_rows(tenant) == {}
    assert count_rows(other_tenant) == others
    assert deletion.status == "completed"
    # Rows that a database rule deletes together with another table's are not counted.
    assert {"tenants_tenant": 1, "accounts_membership": before["accounts_membership"]}.items() <= (
        deletion.rows.items()
    )
    assert deletion.rows.keys() - {"tenants_tenant", "procrastinate_jobs"} <= before.keys()
    with as_platform():
        assert list(Tenant.objects.values_list("pk", flat=True)) == [other_tenant.pk]


def test_every_table_of_a_tenant_is_deleted_or_a_log():
    kept = {
        model._meta.label
        for model in project_models()
        if model._meta.managed and model.scope_kind != "global" and model not in tenant_models()
    }

    assert kept == {"audit.AuditLog", "audit.SecurityAuditLog"}


def test_thousands_of_rows_are_deleted_in_portions_and_counted(tenant):
    make_terms(tenant, 3_000)
    steps = []
    deletion = run_deletion(
        request(tenant).pk, portion=700, progress=lambda table, rows: steps.append((table, rows))
    )

    assert [rows for table, rows in steps if table == "knowledge_term"] == [700, 700, 700, 700, 201]
    assert deletion.rows["knowledge_term"] == 3_001


def test_a_crash_between_portions_loses_neither_progress_nor_counts(tenant, monkeypatch):
    make_terms(tenant, 50)
    requested, calls = request(tenant), []

    def crash(table, rows):
        calls.append(table)
        if calls.count("knowledge_term") == 3:
            raise SystemExit

    with pytest.raises(SystemExit):
        run_deletion(requested.pk, portion=10, progress=crash)
    with as_platform():
        assert TenantDeletion.objects.get().status == "running"
        assert TenantDeletion.objects.get().rows["knowledge_term"] == 30
    assert run_deletion(requested.pk, portion=10).rows["knowledge_term"] == 51
    assert run_deletion(requested.pk).status == "completed"


def test_rows_written_meanwhile_are_deleted_in_another_pass(tenant, monkeypatch):
    requested, original = request(tenant), service._delete_files
    passes = []

    def write_late(deletion, folder):
        passes.append(folder)
        if len(passes) == 1:
            with as_platform():
                TenantQuota(tenant_id=tenant.pk, resource="users").save()
        original(deletion, folder)

    monkeypatch.setattr(service, "_delete_files", write_late)
    assert run_deletion(requested.pk).rows["tenants_tenantquota"] == 1
    assert len(passes) == 2


def test_files_and_sessions_end_with_the_tenant(tenant, other_tenant):
    for owner in (tenant, other_tenant):
        default_storage.save(f"tenants/{owner.pk}/documents/a.txt", ContentFile(b"a"))
    default_storage.save(f"tenants/{tenant.pk}/attachments/b.txt", ContentFile(b"b"))
    leaving, staying = add_member(tenant).user, add_member(tenant).user
    with tenant_scope(other_tenant, actor="system:test"):
        factory_for(Membership)(user=staying)
    for user in (leaving, staying):
        Client().force_login(user)
    deletion = run_deletion(request(tenant).pk)

    assert deletion.files == 2
    assert not default_storage.exists(f"tenants/{tenant.pk}")
    assert default_storage.exists(f"tenants/{other_tenant.pk}/documents/a.txt")
    signed_in = [session.get_decoded()["_auth_user_id"] for session in Session.objects.all()]
    assert signed_in == [str(staying.pk)]


def test_the_name_and_the_suspension_are_required(tenant):
    with platform_scope(reason="test"):
        with pytest.raises(TenantStateError, match="Suspend"):
            request_deletion(tenant, name=tenant.name)
        suspend_tenant(tenant)
        with pytest.raises(ValidationError, match="name of the organisation"):
            request_deletion(tenant, name=tenant.slug)
        request_deletion(tenant, name=tenant.name)
        with pytest.raises(TenantStateError, match="being deleted"):
            request_deletion(tenant, name=tenant.name)
        assert ProcrastinateJob.objects.filter(task_name=service.TASK, status="todo").count() == 1


def test_the_platform_deletes_through_the_api(tenant):
    client = Client(headers={"authorization": f"Bearer {PlatformKeyFactory().secret}"})
    url = f"/api/v1/tenants/{tenant.slug}/"

    assert client.delete(f"{url}?name={tenant.name}").json()["code"] == "tenant_not_suspended"
    assert client.post(f"{url}suspend/", {}, content_type="application/json").status_code == 200
    assert client.delete(url).json()["errors"][0]["pointer"] == "/name"
    response = client.delete(f"{url}?name={tenant.name}")
    assert (response.status_code, response.json()["status"]) == (202, "pending")
    run_deletion(response.json()["id"])
    report = client.get(response["Location"]).json()
    assert (report["status"], report["rows"]["tenants_tenant"]) == ("completed", 1)
    assert client.get(url).status_code == 404


def test_the_log_keeps_the_deletion_without_the_values_of_rows(tenant):
    make_terms(tenant, 3)
    requested = request(tenant)
    with as_platform():
        earlier = set(AuditLog.unscoped.values_list("pk", flat=True))
    run_deletion(requested.pk)

    with as_platform():
        added = AuditLog.unscoped.exclude(pk__in=earlier).order_by("id")
        actions = [row.action for row in added if row.action != "platform.scope_opened"]
        assert set(actions) == {"tenantdeletion.updated", "tenant.deletion_completed"}
        (event,) = SecurityAuditLog.unscoped.filter(event_type="data.tenant_deleted")
        assert event.tenant_id is None
        assert event.details["rows"]["knowledge_term"] == 4
        written = json.dumps([[row.old_values, row.new_values, row.metadata] for row in added]) + str(
            event.details
        )
    assert tenant.name not in written
    assert "secret meaning" not in written


def deleted_rows_logged(tenant, scope):
    """Delete the terms of a tenant in a scope and return whether the audit log recorded it."""
    with as_role(scope), connection.cursor() as cursor:
        cursor.execute("DELETE FROM knowledge_term WHERE tenant_id = %s", [tenant.pk])
        assert cursor.rowcount == 2
    with as_platform():
        return AuditLog.unscoped.filter(action="term.deleted", tenant_id=tenant.pk).count() == 2


def forgeries(tenant, user):
    """Return scopes in which a deletion must be logged, with or without a running deletion of the tenant."""
    yield Scope(OPERATOR, actor="user:staff", reason="x"), True
    yield Scope(OPERATOR, actor=service.ACTOR, reason="x"), False
    yield Scope(APP, tenant.pk, user.pk, actor=service.ACTOR), True


@pytest.mark.security("unlogged deletion")
@pytest.mark.parametrize("number", range(3), ids=["another actor", "no deletion", "the tenant"])
def test_only_a_running_deletion_is_left_out_of_the_log(attacks, tenant, number):
    scope, is_running = list(forgeries(tenant, make_terms(tenant, 1)))[number]
    if is_running:
        factory_for(TenantDeletion)(deleted_tenant_id=tenant.pk, status="running")
    attacks.attempt(succeeded=not deleted_rows_logged(tenant, scope))


@pytest.mark.security("unlogged deletion")
def test_a_tenant_cannot_write_a_deletion(attacks, scope, tenant):
    try:
        with transaction.atomic():
            TenantDeletion(deleted_tenant_id=tenant.pk, status="running", requested_by="x").save()
        attacks.attempt(succeeded=True)
    except ProgrammingError as error:
        attacks.attempt(succeeded=error.__cause__.sqlstate != "42501")


@pytest.mark.security("unlogged deletion", mutation=True)
def test_a_forged_deletion_escapes_the_log(attacks, tenant):
    make_terms(tenant, 1)
    factory_for(TenantDeletion)(deleted_tenant_id=tenant.pk, status="running")
    scope = Scope(OPERATOR, actor=service.ACTOR, reason="x")
    attacks.attempt(succeeded=not deleted_rows_logged(tenant, scope))


def test_a_server_that_other_tenants_use_outlives_its_owner(tenant, other_tenant):
    with as_platform():
        public, private = (
            McpServerFactory(owner_id=tenant.pk, is_public=is_public) for is_public in (True, False)
        )
    run_deletion(request(tenant).pk)

    with as_platform():
        assert list(McpServer.objects.values_list("pk", "owner_id")) == [(public.pk, None)]
        assert not McpServer.objects.filter(pk=private.pk).exists()
