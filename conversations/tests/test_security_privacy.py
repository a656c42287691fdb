"""Privacy of conversation content."""

import json

from agents.tests.factories import AgentFactory
from audit.models import AuditLog
from config.tenancy.scope import tenant_scope


def test_the_audit_log_does_not_repeat_what_was_said(api_client, tenant):
    with tenant_scope(tenant, actor="system:test"):
        AgentFactory(slug="guide")
    body = {"agent": "guide", "message": "My private question", "metadata": {"about": "private matters"}}
    assert (
        api_client().post("/api/v1/conversations/", body, content_type="application/json").status_code == 201
    )
    with tenant_scope(tenant, actor="system:test"):
        rows = AuditLog.objects.values_list("action", "old_values", "new_values", "metadata")
        text = json.dumps(list(rows))
    assert "conversation.updated" in text
    assert "private" not in text
