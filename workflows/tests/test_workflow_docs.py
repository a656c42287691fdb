"""The reference page, the JSON Schema and the examples of the definition language."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from jsonschema import Draft202012Validator

from agents.choices import HTTP_SERVICE
from agents.tests.factories import AgentFactory, IntegrationFactory, McpServerConfigFactory
from config.db.json_schema import validation_errors
from config.testing.roles import as_platform
from knowledge.tests.factories import CollectionFactory
from workflows.choices import StepKind
from workflows.language.checks import find_problems
from workflows.language.definition import WorkflowDefinition
from workflows.language.documents import dump_document, load_document
from workflows.language.language_schema import build_language_schema
from workflows.models import WorkflowTrigger
from workflows.services.publishing import publish
from workflows.services.workflow_files import import_workflow

DOCS = Path(settings.BASE_DIR) / "docs"
SCHEMA = DOCS / "reference/workflow.schema.json"
EXAMPLES = sorted((DOCS / "workflows").glob("*.yaml"))
PAGE = (DOCS / "reference/workflows.md").read_text()
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def validator():
    return Draft202012Validator(build_language_schema())


def check(document, validator):
    assert [error.message for error in validator.iter_errors(document)] == []
    assert validation_errors(WorkflowDefinition, document) == []
    assert list(find_problems(WorkflowDefinition.model_validate(document))) == []


def test_schema_is_up_to_date():
    stale = "Run manage.py workflow schema --output docs/reference/workflow.schema.json"
    assert SCHEMA.read_text() == dump_document(build_language_schema(), as_json=True), stale


def test_page_describes_every_kind():
    assert list(SECTIONS) == sorted(SECTIONS, key=StepKind.values.index)
    assert set(SECTIONS) == set(StepKind.values)


@pytest.mark.parametrize("kind", StepKind.values)
def test_example_of_a_kind_is_valid(kind, validator):
    (example,) = re.findall(r"```yaml\n(.*?)```", SECTIONS[kind], re.DOTALL)
    steps = load_document(example).value

    assert kind in {step["kind"] for step in steps}
    check({"schema": "conclave.workflow/1", "steps": steps}, validator)


@pytest.mark.parametrize("member", ["schema", *WorkflowDefinition.model_fields])
def test_page_describes_every_member_of_a_document(member):
    assert f"`{member.removesuffix('_')}`" in PAGE


def test_there_are_ten_examples():
    assert len(EXAMPLES) == 10


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_example_is_valid_and_explained(file, validator):
    text = file.read_text()

    assert text.startswith("# ")
    check(load_document(text).value, validator)


def test_examples_use_every_kind_and_can_be_published(scope):
    for slug in ("writer", "support", "reviewer", "analyst"):
        AgentFactory(slug=slug)
    CollectionFactory(slug="handbook")
    for name in ("cms", "helpdesk", "shop"):
        IntegrationFactory(name=name, platform=HTTP_SERVICE)
    server = McpServerConfigFactory().mcp_server
    with as_platform():
        type(server).objects.filter(pk=server.pk).update(
            slug="tracker",
            tool_definitions=[{"name": "create_issue", "inputSchema": {"required": ["title"]}}],
        )

    # A workflow is published after those that it starts.
    order = sorted(EXAMPLES, key=lambda file: "kind: workflow" in file.read_text())
    kinds = set()
    for file in order:
        workflow, _ = import_workflow(file.read_bytes(), slug=file.stem)
        version = publish(workflow)
        made = WorkflowDefinition.model_validate(version.snapshot["definition"])
        kinds |= {step.kind for _, step in made.iterate_steps()}

    assert kinds == set(StepKind.values)
    triggers = WorkflowTrigger.objects.order_by("name")
    assert [(each.name, each.trigger_type) for each in triggers] == [
        ("nightly", "scheduled"),
        ("ticket", "webhook"),
    ]
    assert triggers[0].next_fire_at is not None


@pytest.mark.parametrize(
    "document",
    [{"steps": [{"id": "a", "kind": "wait"}]}, {"steps": [{"kind": "emit", "event": "a.b"}]}, {"x": 1}],
)
def test_schema_refuses_what_the_language_refuses(document, validator):
    assert not validator.is_valid(document)
