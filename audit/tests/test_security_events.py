"""Tests of the security log."""

import pytest
from django.db import DatabaseError, ProgrammingError, connection, transaction

from audit.choices import SecurityEventType as Event
from audit.models import AuditLog, SecurityAuditLog
from audit.security_rules import AUDITED, RULES
from audit.services import record_security_event
from audit.services.security import RECORD_SQL
from config.db.session import RequestInfo, request_info
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.factories import factory_for
from config.testing.fixtures import add_member
from config.testing.roles import as_platform

FAILED = {"action": "login", "result": "failure"}


@pytest.fixture
def from_address():
    token = request_info.set(RequestInfo(ip="2001:db8::1", request_id="r-9", user_agent="x"))
    yield
    request_info.reset(token)


def events(**wanted):
    with as_platform():
        return list(SecurityAuditLog.unscoped.filter(**wanted).order_by("id"))


def test_every_type_has_a_rule_and_a_known_category():
    assert RULES.keys() == set(Event)
    assert set(AUDITED.values()) <= set(Event)
    assert {kind.partition(".")[0] for kind in Event} == {"auth", "access", "data", "config"}


def test_event_of_a_scope_is_its_tenants(scope, member):
    key = record_security_event(Event.ACCESS_DENIED, action="read", result="failure", target=member)
    row = SecurityAuditLog.objects.get(pk=key)

    assert (row.tenant_id, row.actor_user_id) == (scope.tenant_id, scope.user_id)
    assert (row.actor_role, row.event_category, row.severity) == (member.role, "access", "WARNING")
    assert (row.target_type, row.target_id) == ("accounts.membership", str(member.pk))


def test_event_outside_a_scope_belongs_to_no_tenant(db, tenant):
    key = record_security_event(Event.LOGIN_FAILED, actor_email="a@example.org", **FAILED)
    with tenant_scope(tenant):
        assert not SecurityAuditLog.objects.exists()
    (row,) = events(pk=key)
    assert (row.tenant_id, row.actor_email) == (None, "a@example.org")


def test_a_sign_in_concerns_all_tenants_of_the_user(member):
    other = factory_for("tenants.Tenant")()
    with tenant_scope(other, actor="system:test"):
        factory_for("accounts.Membership")(user=member.user)
    record_security_event(Event.LOGIN, action="login", actor_id=member.user_id)
    record_security_event(Event.LOGIN_FAILED, actor_email=member.user.email.upper(), **FAILED)

    for kind, actor in ((Event.LOGIN, member.user_id), (Event.LOGIN_FAILED, None)):
        rows = events(event_type=kind)
        assert {row.tenant_id for row in rows} == {member.tenant_id, other.pk}
        assert {row.actor_user_id for row in rows} == {actor}


def test_event_carries_the_request(scope, from_address):
    key = record_security_event(Event.LOGIN_FAILED, **FAILED, details={"try": 3})
    row = SecurityAuditLog.objects.get(pk=key)

    assert (row.ip_address, row.request_id, row.user_agent) == ("2001:db8::1", "r-9", "x")
    assert row.details == {"try": 3}


def test_a_flood_of_one_address_is_one_row_a_minute(db, from_address):
    keys = {
        record_security_event(Event.LOGIN_FAILED, actor_email=f"{n}@example.org", **FAILED) for n in range(60)
    }
    rows = events(pk__in=keys)

    assert len(rows) <= 2
    assert sum(row.occurrences for row in rows) == 60


def test_a_burst_raises_the_severity_and_needs_review(scope, member):
    kinds = [record_security_event(Event.EXPORTED, action="export") for _ in range(50)]
    rows = SecurityAuditLog.objects.in_bulk(kinds)
    steps = [(rows[key].severity, rows[key].requires_review) for key in kinds]

    assert set(steps[:4]) == {("INFO", False)}
    assert set(steps[4:49]) == {("WARNING", True)}
    assert steps[49] == ("ERROR", True)


def test_another_actor_has_another_burst(tenant, member):
    for user in [member.user] * 5 + [add_member(tenant).user]:
        with tenant_scope(tenant, user=user):
            key = record_security_event(Event.EXPORTED, action="export")
    assert events(pk=key)[0].severity == "INFO"


def test_one_event_is_one_statement(scope, django_assert_num_queries):
    with django_assert_num_queries(3) as queries:
        record_security_event(Event.EXPORTED, action="export")
    assert [query["sql"].split()[0] for query in queries] == ["SAVEPOINT", "SELECT", "RELEASE"]


def test_a_refused_event_does_not_fail_the_caller(scope, caplog):
    assert record_security_event(Event.EXPORTED, action="x" * 101) is None
    assert "data.exported was not recorded" in caplog.text
    assert not SecurityAuditLog.objects.exists()


@pytest.mark.security("security event of another tenant")
def test_a_tenant_cannot_write_events_of_another_one(scope, attacks):
    other = factory_for("tenants.Tenant")()
    record_security_event(Event.EXPORTED, action="forged", tenants=[other.pk])
    attacks.attempt(succeeded=bool(events(action="forged", tenant_id=other.pk)))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT conclave_store_security_event('{}', '{}', %s::uuid[])", [[other.pk]])
        attacks.attempt(succeeded=True)
    except ProgrammingError:
        attacks.attempt(succeeded=False)


@pytest.mark.security("security event of another tenant", mutation=True)
def test_outside_a_tenants_scope_the_event_of_any_tenant_is_written(db, tenant, attacks):
    record_security_event(Event.EXPORTED, action="forged", tenants=[tenant.pk])
    attacks.attempt(succeeded=bool(events(action="forged", tenant_id=tenant.pk)))


def test_an_unproved_scope_writes_nothing(scope):
    sql = f"WITH unproved AS MATERIALIZED (SELECT set_config('app.scope_proof', '', true)) {RECORD_SQL} FROM unproved"
    with pytest.raises(DatabaseError, match="not proved"), transaction.atomic():
        connection.cursor().execute(sql, ["{}", "{}", None])


def test_only_the_review_of_an_event_may_change(scope):
    record_security_event(Event.SECOND_FACTOR_FAILED, **FAILED)

    assert SecurityAuditLog.objects.update(requires_review=False) == 1
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        SecurityAuditLog.objects.update(result="success")
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        SecurityAuditLog.objects.all()._raw_delete("default")


CHANGES = {
    "accounts.Role": Event.ROLE_CHANGED,
    "accounts.RoleAssignment": Event.ROLE_CHANGED,
    "accounts.ApiKey": Event.KEY_CHANGED,
    "agents.Integration": Event.INTEGRATION_CHANGED,
    "agents.McpServerConfig": Event.MCP_CHANGED,
    "tenants.WebhookEndpoint": Event.WEBHOOK_CHANGED,
}


@pytest.mark.parametrize(("label", "kind"), CHANGES.items(), ids=list(CHANGES))
def test_a_change_of_configuration_is_an_event(scope, label, kind):
    row = factory_for(label)()
    found = SecurityAuditLog.objects.filter(target_id=str(row.pk), event_type=kind)
    event = found.get()
    logged = AuditLog.objects.get(resource_id=str(row.pk))

    assert (event.action, event.actor_user_id) == (f"{label.split('.')[1].lower()}.created", scope.user_id)
    assert set(event.details["columns"]) == set(logged.new_values)
    row.delete()
    assert [each.action.split(".")[1] for each in found] == ["deleted", "created"]


def test_a_change_by_platform_staff_is_an_event_of_the_tenant(tenant, member):
    with platform_scope(reason="a test", user=member.user):
        tenant.name = "Renamed"
        tenant.save()
    (event,) = events(event_type=Event.SETTINGS_CHANGED, tenant_id=tenant.pk)
    assert (event.actor_user_id, event.details["columns"]) == (member.user_id, ["name"])


def test_changes_of_other_tables_and_by_the_system_are_no_events(tenant, member):
    with tenant_scope(tenant, user=member.user):
        factory_for("agents.Agent")()
    with tenant_scope(tenant, actor="system:test"):
        factory_for("accounts.Role")()
        assert not SecurityAuditLog.objects.exists()
