"""API of publishing, checking, comparing and restoring workflows."""

import pytest

from config.tenancy.scope import tenant_scope
from workflows.models import Workflow, WorkflowVersion
from workflows.tests.factories import WorkflowFactory, WorkflowVersionFactory

pytestmark = pytest.mark.django_db
VALID = {"schema": "conclave.workflow/1", "steps": [{"id": "a", "kind": "transform", "value": 1}]}
INVALID = {"steps": [{"id": "a", "kind": "transform", "value": "${ 1 + 'x' }"}, {"id": "b", "kind": "agent"}]}
GHOST = {"steps": [{"id": "a", "kind": "transform", "value": "${ 1 + 'x' }"}]}


def in_tenant(client, make, **fields):
    with tenant_scope(client.key.tenant_id, user=client.key.user_id):
        return make(**fields)


def post(client, path, body=None):
    return client.post(f"/api/v1/{path}/", body or {}, content_type="application/json")


def test_publishing_makes_a_version(api_client):
    client = api_client()
    workflow = in_tenant(client, WorkflowFactory, definition=VALID)

    response = post(client, f"workflows/{workflow.pk}/publish", {"note": "First"})

    assert response.status_code == 201
    made = response.json()
    assert (made["version"], made["note"], made["created_by"]) == (1, "First", str(client.key.user_id))
    assert made["snapshot"]["definition"] == VALID


def test_errors_of_publishing_point_into_the_definition(api_client):
    client = api_client()
    workflow = in_tenant(client, WorkflowFactory, definition=GHOST)

    response = post(client, f"workflows/{workflow.pk}/publish")

    assert response.status_code == 400
    ((pointer, detail),) = [(each["pointer"], each["detail"]) for each in response.json()["errors"]]
    assert pointer == "/definition/steps/0/value"
    assert detail.startswith("Step a: Column 3: found no matching overload")


def test_validation_stores_nothing(api_client):
    client = api_client("viewer")
    workflow = in_tenant(client, WorkflowFactory, definition=VALID)
    path = f"workflows/{workflow.pk}/validate"
    old = [{"name": "Wait a bit", "type": "wait", "config": {"seconds": 5}}]

    assert post(client, path).json() == {"valid": True, "errors": [], "definition": VALID}
    found = post(client, path, {"definition": INVALID}).json()
    assert [(each["pointer"], each["step"]) for each in found["errors"]] == [("/steps/1/agent", "b")]
    upgraded = post(client, path, {"definition": old}).json()
    assert (upgraded["valid"], upgraded["definition"]["steps"][0]["kind"]) == (True, "delay")
    with tenant_scope(client.key.tenant_id, user=client.key.user_id):
        assert Workflow.objects.get(pk=workflow.pk).definition == VALID
        assert not WorkflowVersion.objects.exists()


def test_viewers_do_not_publish(api_client):
    client = api_client("viewer")
    workflow = in_tenant(client, WorkflowFactory, definition=VALID)

    assert post(client, f"workflows/{workflow.pk}/publish").status_code == 403


def test_versions_are_compared(api_client):
    client = api_client()
    workflow = in_tenant(client, WorkflowFactory, definition=VALID)
    first = post(client, f"workflows/{workflow.pk}/publish").json()
    changed = {"definition": {**VALID, "name": "Named"}}
    client.patch(f"/api/v1/workflows/{workflow.pk}/", changed, content_type="application/json")
    draft = client.get(f"/api/v1/workflows/{workflow.pk}/changes/").json()
    second = post(client, f"workflows/{workflow.pk}/publish").json()

    change = {"path": "definition.name", "change": "added", "before": None, "after": "Named"}
    assert draft == [change]
    assert client.get(f"/api/v1/workflow-versions/{second['id']}/diff/").json() == [change]
    path = f"/api/v1/workflow-versions/{first['id']}/diff/?against={second['id']}"
    assert client.get(path).json() == [{**change, "change": "removed", "before": "Named", "after": None}]


@pytest.mark.parametrize("against", ["x", "other"])
def test_version_is_compared_with_versions_of_its_workflow_only(against, api_client):
    client = api_client()
    one, other = in_tenant(client, WorkflowVersionFactory), in_tenant(client, WorkflowVersionFactory)
    given = str(other.pk) if against == "other" else against

    response = client.get(f"/api/v1/workflow-versions/{one.pk}/diff/?against={given}")

    assert response.status_code == (404 if against == "other" else 400)


def test_version_is_restored_as_the_draft(api_client):
    client = api_client()
    workflow = in_tenant(client, WorkflowFactory, definition=VALID)
    post(client, f"workflows/{workflow.pk}/publish")
    client.patch(
        f"/api/v1/workflows/{workflow.pk}/", {"definition": {"steps": []}}, content_type="application/json"
    )

    response = post(client, f"workflows/{workflow.pk}/restore", {"version": 1})

    assert response.status_code == 200
    assert response.json()["definition"] == VALID
    assert post(client, f"workflows/{workflow.pk}/restore", {"version": 2}).status_code == 404


def test_foreign_step_list_is_upgraded_when_it_is_stored(api_client):
    client = api_client()
    old = [{"name": "Wait a bit", "type": "wait", "config": {"seconds": 5}}]

    response = post(
        client, "workflows", {"name": "n", "slug": "s", "definition": old, "metadata": {"team": "docs"}}
    )

    assert response.status_code == 201
    assert response.json()["definition"]["steps"] == [
        {"id": "wait_a_bit", "name": "Wait a bit", "kind": "delay", "seconds": 5}
    ]
    assert response.json()["metadata"] == {"team": "docs", "imported": old}


@pytest.mark.parametrize("export_format", ["yaml", "json"])
def test_exported_document_is_imported_unchanged(export_format, api_client):
    client = api_client()
    workflow = in_tenant(client, WorkflowFactory, definition=VALID, name="Named")

    exported = client.get(f"/api/v1/workflows/{workflow.pk}/export/?as={export_format}")
    response = post(client, "workflows/import", {"slug": "copy", "document": exported.content.decode()})

    assert exported["Content-Type"] == f"application/{export_format}"
    assert response.status_code == 200
    assert response.json()["definition"] == {**VALID, "name": "Named"}
    copy = client.get(f"/api/v1/workflows/{response.json()['id']}/export/?as={export_format}")
    assert copy.content == exported.content


@pytest.mark.parametrize("document", ["a: &x 1\nb: *x", "steps: [{id: a, kind: dance}]", "[" * 100])
def test_invalid_document_is_refused(document, api_client):
    client = api_client()

    response = post(client, "workflows/import", {"slug": "bad", "document": document})

    assert response.status_code == 400
    assert {each["pointer"] for each in response.json()["errors"]} == {"/document"}


def test_payload_of_ten_megabytes_is_refused(api_client):
    body = {"slug": "big", "document": "a: " + "x" * 10_000_000}

    assert post(api_client(), "workflows/import", body).status_code == 413


def test_unknown_export_format_is_refused(api_client):
    client = api_client()
    workflow = in_tenant(client, WorkflowFactory)

    assert client.get(f"/api/v1/workflows/{workflow.pk}/export/?as=xml").status_code == 400
