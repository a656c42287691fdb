"""Documents as YAML and JSON, and the files of workflows."""

import time
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.tenancy.scope import tenant_scope
from workflows.language.documents import DocumentError, dump_document, load_document
from workflows.models import Workflow
from workflows.services.workflow_files import export_workflow, import_workflow
from workflows.tests.factories import WorkflowFactory

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | NUMBERS
    | TEXT
    | st.sampled_from(["no", "1e3", "01", "~", "null", "2026-12-01", "=", "1:30"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
WORKFLOW = """\
schema: conclave.workflow/1
name: Greet
input:
  type: object
  properties: {name: {type: string}}
steps:
  - id: greet
    kind: transform
    value: "Hello ${ input.name }"
  - id: last
    kind: transform
    value: ${ steps.greet.output }
"""


@given(JSON, st.booleans())
@example({"\x85": "a\u2028b"}, False)
@example("a\n\x85 b\u2029\n", False)
@example([5e-324, 1e16, -2e300, 1.5e16, 0.0], False)
@settings(max_examples=60, deadline=None)
def test_written_document_is_read_back_unchanged(value, as_json):
    text = dump_document(value, as_json=as_json)

    assert load_document(text).value == value
    assert dump_document(load_document(text).value, as_json=as_json) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "a: no\nb: true\nc: ~\nd: 1:30\ne: 2026-12-01\nf: 010\ng: 1.5\nh: on",
            {
                "a": "no",
                "b": True,
                "c": None,
                "d": "1:30",
                "e": "2026-12-01",
                "f": "010",
                "g": 1.5,
                "h": "on",
            },
        ),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ('{"a": [1, 2.5, null, "x"]}', {"a": [1, 2.5, None, "x"]}),
        ("on: push\n1: x", {"on": "push", "1": "x"}),
    ],
)
def test_plain_values_follow_yaml_1_2(text, value):
    assert load_document(text).value == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: *x", "Line 1: Anchors and aliases are not allowed."),
        ("b: *x", "Line 1: Anchors and aliases are not allowed."),
        ("a: !!python/object/apply:os.system [id]", "Line 1: Tags are not allowed."),
        ("a: 1\na: 2", "Line 2: The key a occurs twice."),
        ("? [1]\n: 2", "Line 1: A key must be text."),
        ("a: 1\n---\nb: 2", "Line 2: The text contains more than one document."),
        ("", "The document is empty."),
        ("a:\n  - b\n c: 1", "Line 3: "),
        ("a: 99999999999999999999", "Line 1: The integer does not fit into 64 bits."),
        ('a: "\\0"', "Line 1: The document contains invalid characters."),
        (b"a: \xff", "The document is not UTF-8."),
        ("a: \x07", "The document contains invalid characters."),
    ],
)
def test_error_names_its_line(text, message):
    with pytest.raises(DocumentError) as caught:
        load_document(text)
    assert str(caught.value).startswith(message)


def test_lines_of_values_are_known():
    document = load_document(WORKFLOW)

    assert document.find_line(("steps", 1, "value")) == 12
    assert document.find_line(("steps", 1, "ghost")) == 10
    assert document.find_line(("ghost",)) == 1


BOMBS = {
    "aliases": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)),
    "merge keys": "a: &a {x: 1}\nb: {<<: *a}",
    "depth": "[" * 100_000,
    "closed depth": "[" * 400 + "]" * 400,
    "block depth": "".join("  " * n + "a:\n" for n in range(600)),
    "ten megabytes": "a: " + "x" * 10_000_000,
    "digits": "a: " + "9" * 900_000,
    "quotes": 'a: "' + '\\"' * 400_000,
}


@pytest.mark.security("hostile document")
@pytest.mark.parametrize("name", BOMBS)
def test_hostile_document_is_refused_soon(name, attacks):
    begun = time.process_time()
    try:
        load_document(BOMBS[name])
    except DocumentError:
        attacks.attempt(name, succeeded=time.process_time() - begun > 2)
    else:
        attacks.attempt(name, succeeded=True)


@pytest.mark.security("hostile document", mutation=True)
def test_another_loader_expands_the_aliases(attacks):
    import yaml

    found = yaml.safe_load(BOMBS["aliases"])

    attacks.attempt(succeeded=found["i"][0] is found["h"])


def test_workflow_is_exported_and_imported_unchanged(scope, member):
    workflow, is_new = import_workflow(WORKFLOW, slug="greet", user_id=member.user_id)
    exported = export_workflow(workflow)
    again, is_new_again = import_workflow(exported, slug="greet")

    assert (is_new, is_new_again, again.pk) == (True, False, workflow.pk)
    assert (workflow.name, workflow.created_by_id) == ("Greet", member.user_id)
    assert export_workflow(again) == exported
    assert load_document(export_workflow(again, as_json=True)).value == again.definition
    assert again.metadata == {}


def test_imported_foreign_form_is_upgraded(scope):
    workflow, _ = import_workflow(
        '[{"name": "Pause", "type": "wait", "config": {"seconds": 1}}]', slug="pause"
    )

    assert workflow.definition["steps"][0]["kind"] == "delay"
    assert "imported" in workflow.metadata


def test_invalid_document_is_not_stored(scope):
    with pytest.raises(ValidationError, match=r"steps\.0\.kind"):
        import_workflow("steps: [{id: a, kind: dance}]", slug="bad")
    assert not Workflow.objects.filter(slug="bad").exists()


def run(*arguments):
    output = StringIO()
    call_command("workflow", *map(str, arguments), stdout=output)
    return output.getvalue()


def test_command_validates_with_line_and_step(tmp_path):
    good, bad, broken, empty = (tmp_path / f"{name}.yaml" for name in ("good", "bad", "broken", "empty"))
    good.write_text(WORKFLOW)
    bad.write_text(WORKFLOW.replace("steps.greet", "steps.ghost"))
    broken.write_text("a: *x")
    empty.write_text("steps: []")
    output = StringIO()

    with pytest.raises(CommandError, match="3 of 4 documents are invalid"):
        call_command("workflow", "validate", *map(str, (good, bad, broken, empty)), stdout=output)

    assert output.getvalue().splitlines() == [
        f"{good}: valid",
        f"{bad}:12: steps.1.value: Step last: Step ghost does not exist.",
        f"{broken}:1: Anchors and aliases are not allowed.",
        f"{empty}:1: steps: Add a step.",
    ]


def test_command_imports_publishes_exports_and_lists(tmp_path, tenant, member):
    file = tmp_path / "greet.yaml"
    file.write_text(WORKFLOW)

    assert run("import", file, "--tenant", tenant.slug, "--publish") == "created greet, version 1\n"
    assert run("import", file, "--tenant", tenant.slug) == "updated greet\n"
    exported = run("export", "greet", "--tenant", tenant.slug, "--version-number", 1)
    assert load_document(exported).value == load_document(WORKFLOW).value
    assert run("list", "--tenant", tenant.slug).split() == ["greet", "v1", "active", "0", "Greet"]
    run("export", "greet", "--tenant", tenant.slug, "--as", "json", "--output", tmp_path / "greet.json")
    assert load_document((tmp_path / "greet.json").read_text()).value["name"] == "Greet"


def test_command_checks_references_of_a_tenant(tmp_path, tenant, member):
    with tenant_scope(tenant, user=member.user):
        WorkflowFactory(slug="child")
    file = tmp_path / "parent.yaml"
    file.write_text("steps: [{id: a, kind: workflow, workflow: child}]")

    assert run("validate", file) == f"{file}: valid\n"
    with pytest.raises(CommandError):
        run("validate", file, "--tenant", tenant.slug)
    with pytest.raises(CommandError, match="has no published version"):
        run("import", file, "--tenant", tenant.slug, "--publish")
    with pytest.raises(CommandError, match="does not exist"):
        run("export", "ghost", "--tenant", tenant.slug)
