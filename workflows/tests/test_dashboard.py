"""Workflows in the overview of the console."""

import re

from django.utils import timezone

from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from workflows.tests.approval_steps import ask
from workflows.tests.factories import WorkflowExecutionFactory


def read_tile(client, title):
    text = re.sub(r"<[^>]+>", " ", client.get("/console/").content.decode())
    return int(re.search(rf"{title}\s+(\d+)\s", text)[1])


def test_failed_runs_and_waiting_approvals_are_counted(tenant, other_tenant, member, admin_client):
    with tenant_scope(tenant, user=member.user):
        WorkflowExecutionFactory(status="failed", started_at=timezone.now())
        WorkflowExecutionFactory(status="completed", started_at=timezone.now())
    ask(tenant, member)
    ask(tenant, add_member(tenant))
    with tenant_scope(other_tenant, user=add_member(other_tenant).user):
        WorkflowExecutionFactory(status="failed", started_at=timezone.now())

    assert read_tile(admin_client, "Failed runs") == 1
    assert read_tile(admin_client, "Approvals") == 1
