"""Console page of a workflow's definition."""

import pytest
from django.test import Client
from django.urls import reverse

from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from workflows.models import Workflow
from workflows.tests.factories import WorkflowFactory

VALID = """schema: conclave.workflow/1
steps:
- {id: draft, kind: transform, value: 1}
- {id: check, kind: approval, prompt: "Publish?"}
"""


@pytest.fixture
def workflow(tenant, member):
    with tenant_scope(tenant, user=member.user):
        return WorkflowFactory(definition={"steps": []})


def page(workflow):
    return reverse("admin:workflows_workflow_definition", args=[workflow.pk])


def post(client, workflow, text, action="save", **fields):
    return client.post(page(workflow), {"text": text, "action": action, **fields})


def read(workflow):
    with tenant_scope(workflow.tenant_id, actor="system:test"):
        return Workflow.objects.get(pk=workflow.pk)


def test_a_draft_is_saved_and_drawn(workflow, admin_client):
    response = post(admin_client, workflow, VALID)
    text = admin_client.get(page(workflow)).content.decode()

    assert response.status_code == 302
    assert [step["id"] for step in read(workflow).definition["steps"]] == ["draft", "check"]
    assert 'role="img"' in text
    assert "draft (transform). check (approval) after draft." in text
    assert "Draft, not published" in text


def test_publishing_creates_a_version_with_its_changes(workflow, admin_client):
    post(admin_client, workflow, VALID, "publish", note="First")
    post(admin_client, workflow, VALID.replace("value: 1", "value: 2"), "publish")
    text = admin_client.get(page(workflow)).content.decode()

    assert read(workflow).version == 2
    assert "Version 2" in text
    assert ": First" in text
    assert "definition.steps.draft.value" in text
    assert "Draft, not published" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps:\n- {id: a, kind: nonsense}\n", "Line 2: "),
        ("steps:\n- {id: a, kind: transform, value: 1}\n\n- {id: b, kind: delay}\n", "Line 4: Step b: "),
        ("steps: [\n", "Line 2: "),
        ("steps: &a []\n", "Line 1: Anchors and aliases are not allowed."),
        ("steps:\n- {id: a, kind: approval, prompt: x, needs: [b]}\n", "Step b does not exist."),
        ("[]", "The document is not an object."),
    ],
)
def test_errors_name_their_line(workflow, admin_client, text, message):
    response = post(admin_client, workflow, text)

    assert response.status_code == 200
    assert message in response.content.decode()
    assert read(workflow).definition == {"steps": []}


def test_errors_of_publishing_name_their_line(workflow, admin_client):
    text = VALID + "- {id: ask, kind: agent, agent: missing, prompt: Hello}\n"
    response = post(admin_client, workflow, text, "publish")

    assert response.status_code == 200
    assert "Line 5: Step ask: " in response.content.decode()
    assert len(read(workflow).definition["steps"]) == 3


def test_checking_changes_nothing(workflow, admin_client):
    response = post(admin_client, workflow, VALID, "check")

    assert "The definition is valid." in response.content.decode()
    assert read(workflow).definition == {"steps": []}


def test_a_viewer_reads_and_other_tenants_see_nothing(workflow, tenant, other_tenant):
    viewer, outsider = Client(), Client()
    viewer.force_login(add_member(tenant, "viewer").user)
    outsider.force_login(add_member(other_tenant).user)

    assert viewer.get(page(workflow)).status_code == 200
    assert post(viewer, workflow, VALID).status_code == 403
    assert outsider.get(page(workflow)).status_code == 404
    assert post(outsider, workflow, VALID).status_code == 404


def test_texts_are_escaped(workflow, admin_client):
    evil = "<script>alert(1)</script>"
    post(admin_client, workflow, f"steps:\n- {{id: a, kind: approval, name: '{evil}', prompt: '{evil}'}}\n")

    assert evil not in admin_client.get(page(workflow)).content.decode()
