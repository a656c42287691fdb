"""Tests of the security log."""

import pytest
from django.db import ProgrammingError, transaction

from audit.models import SecurityAuditLog
from audit.services import record_security_event
from config.db.session import RequestInfo, request_info
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform

FAILED = {"category": "auth", "action": "login", "result": "failure", "severity": "WARNING"}


def test_event_of_a_scope_is_its_tenants(scope, member):
    key = record_security_event(
        "access.denied", category="access", action="read", result="failure", target=member
    )
    row = SecurityAuditLog.objects.get(pk=key)

    assert (row.tenant_id, row.actor_user_id) == (scope.tenant_id, scope.user_id)
    assert (row.target_type, row.target_id) == ("accounts.membership", str(member.pk))


def test_event_outside_a_scope_belongs_to_no_tenant(db, tenant):
    key = record_security_event("auth.login_failed", actor_email="a@example.org", **FAILED)
    with tenant_scope(tenant):
        assert not SecurityAuditLog.objects.exists()
    with as_platform():
        row = SecurityAuditLog.unscoped.get(pk=key)
    assert (row.tenant_id, row.actor_email) == (None, "a@example.org")


def test_event_carries_the_request(scope):
    token = request_info.set(RequestInfo(ip="2001:db8::1", request_id="r-9", user_agent="x"))
    try:
        key = record_security_event("auth.login_failed", **FAILED, details={"try": 3})
    finally:
        request_info.reset(token)
    row = SecurityAuditLog.objects.get(pk=key)

    assert (row.ip_address, row.request_id, row.user_agent) == ("2001:db8::1", "r-9", "x")
    assert row.details == {"try": 3}


def test_only_the_review_of_an_event_may_change(scope):
    record_security_event("auth.login_failed", **FAILED, requires_review=True)

    assert SecurityAuditLog.objects.update(requires_review=False) == 1
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        SecurityAuditLog.objects.update(result="success")
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        SecurityAuditLog.objects.all()._raw_delete("default")
