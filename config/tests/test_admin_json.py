"""JSON fields in console forms: schema in the help text, errors with their path."""

from html import unescape

import pytest
from django.urls import reverse

from config.tests.test_admin_forms import inside
from workflows.tests.factories import WorkflowFactory


def workflow_form(**fields):
    given = {"name": "Flow", "slug": "flow", "status": "active", "timeout": 60, "description": ""}
    inline = {f"workflow_agents-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    return (
        given
        | inline
        | {"definition": "{}", "retry_config": "{}", "config": "{}", "tags": "[]", "metadata": "{}"}
        | fields
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"definition": '{"steps": [{"id": "a", "kind": "agent"}]}'},
            {"definition": ["steps.0.agent: Field required."]},
        ),
        (
            {"retry_config": '{"attempts": 99}'},
            {"retry_config": ["attempts: Input should be less than or equal to 20."]},
        ),
        ({"tags": '{"a": 1}'}, {"tags": ["Enter a JSON list, such as []."]}),
        ({"config": "[]"}, {"config": ["Enter a JSON object, such as {}."]}),
        ({"metadata": "{"}, {"metadata": ["Enter a valid JSON."]}),
    ],
)
def test_json_of_another_shape_is_refused_at_its_box(fields, said, admin_client):
    response = admin_client.post(reverse("admin:workflows_workflow_add"), workflow_form(**fields))

    assert response.status_code == 200
    assert response.context["adminform"].form.errors == said


def test_json_is_laid_out_and_its_schema_stands_beside_it(member, admin_client):
    with inside(member):
        row = WorkflowFactory(definition={"steps": [{"id": "a", "kind": "wait", "seconds": 5}]})
    page = admin_client.get(reverse("admin:workflows_workflow_change", args=[row.pk]))
    text = page.content.decode()

    assert '{\n  "steps": [\n' in unescape(page.context["adminform"].form["definition"].as_widget())
    assert "Schema of WorkflowDefinition" in text
    assert "Schema of RetryPolicy" in text
