"""Private rows of a user are hidden from colleagues on every path."""

import pytest
from django.db import models

from audit.models import AuditLog
from audit.tests.factories import SecurityAuditLogFactory
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for, project_models
from config.testing.fixtures import add_member

PRIVATE = [
    model
    for model in project_models()
    if model.scope_kind == "user" and not model.audit_exempt and model._meta.label != "knowledge.TermRelation"
]


# References, flags and times are recorded; other values of private rows are not.
PLAIN = (
    models.ForeignKey,
    models.UUIDField,
    models.BooleanField,
    models.DateTimeField,
    models.GeneratedField,
)


def label(model):
    return model._meta.label


@pytest.mark.parametrize("model", PRIVATE, ids=label)
def test_audit_log_omits_the_content_of_private_rows(model, member, tenant):
    with tenant_scope(tenant, user=add_member(tenant).user):
        row = factory_for(model)()
    with tenant_scope(tenant, user=member.user):
        (logged,) = AuditLog.objects.filter(resource_id=str(row.pk))
    plain = {field.column for field in model._meta.concrete_fields if isinstance(field, PLAIN)}
    said = {name: value for name, value in logged.new_values.items() if name not in plain}

    assert said
    assert set(map(str, said.values())) <= {"[redacted]", "None"}, said


@pytest.mark.parametrize("role", ["viewer", "user", "analyst"])
def test_rights_on_own_credentials_do_not_open_the_security_log(role, tenant, api_client):
    with tenant_scope(tenant, actor="system:test"):
        event = SecurityAuditLogFactory(requires_review=True)
    client = api_client(role)

    assert client.get("/api/v1/devices/").status_code == 200
    assert client.get("/api/v1/security-logs/").status_code == 403
    assert client.post(f"/api/v1/security-logs/{event.pk}/review/").status_code == 403


def test_a_key_for_the_security_log_does_not_open_own_credentials(api_client):
    client = api_client(scopes=["security:read"])

    assert client.get("/api/v1/security-logs/").status_code == 200
    for path in ("devices", "passkeys", "oauth-tokens", "external-identities", "me/two-factor"):
        assert client.get(f"/api/v1/{path}/").status_code == 403, path
