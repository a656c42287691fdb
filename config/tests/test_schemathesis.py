"""Schemathesis finds no 5xx and no undocumented response of the web server.

Runs as a separate process; `config.tests.fuzzing` points it to existing rows.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from itertools import count
from pathlib import Path

import pytest
import requests
from django.db import IntegrityError, transaction

from accounts.tests.factories import ApiKeyFactory
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for, project_models
from config.testing.fixtures import add_member
from config.testing.web_server import BASE_DIR, build_environment, run_web_server
from tenants.tests.factories import TenantFactory

ROWS = 8
# schemathesis is stopped after so long without output or a request; in total it may take any time.
SILENCE_SECONDS = 300
REFERENCES = ("agent", "collection", "engagement", "integration", "role")
# What a schema cannot say refuses valid requests (a slug that is taken, a row that is gone); text takes numbers.
CHECKS = "--checks=all --exclude-checks=positive_data_acceptance,negative_data_rejection"
NEVER_ACCEPTED = {
    "POST /api/v1/collections/import/": "takes a file that only an export makes",
    "GET /api/v1/replication-statuses/{id}/": "rows of the platform, which no tenant makes",
    "GET /api/v1/system-settings/{id}/": "rows of the platform, which no tenant makes",
    "POST /api/v1/agent-templates/{id}/buy/": "takes a template that another organisation sells",
    "POST /api/v1/agents/{id}/restore/": "takes the number of a published version of that agent",
    "POST /api/v1/conversations/{id}/fork/": "takes a message of that very conversation",
    "POST /api/v1/mcp-server-configs/": "takes what its server's own schema asks for",
    "PUT /api/v1/mcp-server-configs/{id}/": "takes what its server's own schema asks for",
    "POST /api/v1/platform-credentials/": "takes secrets, which no row shows",
    "POST /api/v1/template-purchases/{id}/settle/": "takes a purchase that is not settled yet",
    "GET /api/v1/llm-usage/{id}/payloads/": "takes a call whose messages the organisation stores",
    "POST /api/v1/workflow-executions/{id}/redrive/": "takes a run that failed",
    "POST /api/v1/workflow-executions/{id}/resume/": "takes a run that is paused",
    "POST /api/v1/workflows/{id}/run/": "takes a published workflow",
    "POST /api/v1/calendar-members/": "takes a calendar of the caller and a member who does not share it yet",
    "POST /api/v1/project-members/": "takes a project of the caller and a member who does not share it yet",
    "POST /api/v1/conversations/{conversation_id}/participants/": "takes a conversation of the caller with a place",
    "DELETE /api/v1/conversations/{conversation_id}/participants/{id}/": "takes neither the owner nor the last agent",
    "POST /api/v1/workflows/import/": "takes a document of the language, which the schema here leaves out",
    "POST /api/v1/workflows/{id}/publish/": "takes a definition of the language, which the schema here leaves out",
    "GET /api/v1/conversations/{id}/meeting/": "takes a conversation with a meeting",
    "GET /api/v1/conversations/{conversation_id}/attachments/{id}/content/": "takes a file that was brought",
    "DELETE /api/v1/conversations/{conversation_id}/attachments/{id}/": "takes a file that no message has",
    "POST /api/v1/conversations/{conversation_id}/attachments/": "takes a document that is what its name says",
    "POST /api/v1/conversations/{conversation_id}/messages/{id}/feedback/": "takes a complete answer of an agent",
    "POST /api/v1/conversations/{conversation_id}/tool-executions/{id}/approve/": "takes a call that waits",
    "POST /api/v1/conversations/{conversation_id}/tool-executions/{id}/deny/": "takes a call that waits",
}
# A few examples of each do not always find one that the others' rows allow: of them so large a part may be missed.
MOST_MISSED = 0.02
# A parameter of so many operations comes from a base class: it is tried at every eighth of them. Lookups that
# every column of a kind has are one family, tried at every fortieth.
SHARED, KEPT, KEPT_OF_FAMILY = 60, 8, 40
FAMILIES = ("_after", "_before", "_min", "_max", "_in", "_contains", "_isnull")
OPTIONS = (
    "--phases=examples,coverage,fuzzing --max-examples=4 --workers=1 --generation-deterministic --no-shrink"
    " --continue-on-failure --request-timeout=60 --suppress-health-check=all --no-color --report-json-path=report.json"
)
# Other tests cover the same views.
UNLIMITED = {"API_DEFAULT_RATE": "10000000"}
# PUT and PATCH accept what POST accepts, whose schema is covered: they are fuzzed only, starting from existing rows.
CONFIGURATION = """hooks = "config.tests.fuzzing"
[headers]
Authorization = "Bearer {secret}"
[[operations]]
include-method = "PUT"
phases.coverage.enabled = false
[[operations]]
include-method = "PATCH"
include-path-regex = "[}}]/$"
phases.coverage.enabled = false
"""


@pytest.fixture
def key(transactional_db):
    """API key of an administrator whose tenant has rows of every model."""
    tenant = TenantFactory()
    member = add_member(tenant)
    with tenant_scope(tenant, user=member.user):
        for model in project_models():
            if model.scope_kind != "global":
                make_rows(model)
        made = ApiKeyFactory(user=member.user, rate_limit=10_000_000)
    made.kept = [str(made.pk), str(member.pk), str(member.user_id)]
    return made


def make_rows(model):
    """Create rows of the model; fewer where a user or tenant may have only one."""
    for _ in range(ROWS):
        try:
            with transaction.atomic():
                factory_for(model)()
        except IntegrityError:
            return


class RowLister:
    """Reads ids from the API's lists."""

    def __init__(self, url, key):
        self.url, self.key = url, key
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key.secret}"

    def document(self):
        """Return the document without `/v1`, which official clients test, and the routes of platform keys."""
        found = self.session.get(f"{self.url}/api/v1/openapi.json", timeout=120).json()
        found["paths"] = {path: each for path, each in found["paths"].items() if is_fuzzed(path)}
        return found

    def ids(self, path, name="id"):
        rows = self.session.get(f"{self.url}{path}?limit=200").json().get("results", [])
        return [row[name] for row in rows if row[name] not in self.key.kept]

    def places(self, path, conversations):
        """Return values of path parameters that refer to existing rows."""
        if "{collection_id}" in path:
            return [{"collection_id": each} for each in self.ids("/api/v1/collections/")]
        parent, placeholder, _ = path.partition("{id}")
        if "{conversation_id}" not in path:
            return [{"id": each} for each in self.ids(parent)] if placeholder else []
        owners = [{"conversation_id": each} for each in conversations]
        if not placeholder:
            return owners
        return [owner | {"id": each} for owner in owners for each in self.ids(parent.format(**owner))]

    def bodies(self, document):
        """Request bodies of existing rows: path of the list -> id -> body."""
        found = {}
        for path, methods in document["paths"].items():
            if "get" in methods and "post" in methods and "{" not in path:
                names = fields_of(document, methods["post"])
                rows = self.session.get(f"{self.url}{path}?limit=200").json().get("results", [])
                found[path] = {
                    row.get("id", str(number)): {
                        name: row[name] for name in names if row.get(name) is not None
                    }
                    for number, row in enumerate(rows)
                }
        return found

    def plan(self, document):
        """Return the input of `config.tests.fuzzing`."""
        conversations = self.ids("/api/v1/conversations/")
        places = {path: self.places(path, conversations) for path in document["paths"] if "{" in path}
        references = {name: self.ids(f"/api/v1/{name}s/") for name in REFERENCES}
        references["related"] = self.ids("/api/v1/terms/")
        references["user"] = self.ids("/api/v1/members/", "user")
        named = {**places, **references}
        empty = [path for path, found in named.items() if not found and f"GET {path}" not in NEVER_ACCEPTED]
        assert not empty, f"no rows for {empty}"
        bodies = self.bodies(document)
        return {"kept": self.key.kept, "places": places, "references": references, "bodies": bodies}


def is_fuzzed(path):
    return path.startswith("/api/") and not path.startswith("/api/v1/tenants/")


def fields_of(document, operation):
    """Return the field names of a request body."""
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return list(schema.get("properties", {}))


def simplify(document):
    """Leave out what takes too long: definitions with many kinds of steps, and waiting for runs and answers."""
    document["components"]["schemas"]["WorkflowDefinition"] = {"type": "object"}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            operation["parameters"] = [
                each
                for each in operation.get("parameters", ())
                if each["name"] != "wait" or "/workflows/" not in path
            ]
    for path in [each for each in document["paths"] if each.endswith("/stream/")]:
        del document["paths"][path]
    sample_parameters(document)


def family_of(name):
    """Return the lookup family of a parameter, or its name."""
    return next((ending for ending in FAMILIES if name.endswith(ending)), name)


def sample_parameters(document):
    """Test shared parameters on some operations only, which halves the run time."""
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    parameters = [each for operation in operations for each in operation.get("parameters", ())]
    times = Counter(family_of(each["name"]) for each in parameters)
    turns = {name: count() for name, found in times.items() if found >= SHARED}
    for operation in operations:
        operation["parameters"] = [
            each
            for each in operation.get("parameters", ())
            if each.get("required") or is_sampled(family_of(each["name"]), turns)
        ]


def is_sampled(family, turns):
    """Return whether a parameter is tested on this operation."""
    return family not in turns or next(turns[family]) % (KEPT_OF_FAMILY if family in FAMILIES else KEPT) == 0


def run_schemathesis(url, key, folder, *, change=lambda document: None, more=()):
    """Run schemathesis with `more` options; return exit code, output and report. `change` may alter the document."""
    lister = RowLister(url, key)
    document = lister.document()
    change(document)
    files = {
        "schemathesis.toml": CONFIGURATION.format(secret=key.secret),
        "plan.json": json.dumps(lister.plan(document)),
        "document.json": json.dumps(document),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    # Measuring the coverage of schemathesis itself would only cost time.
    program = ["env", "-u", "COVERAGE_PROCESS_CONFIG", str(Path(sys.executable).with_name("schemathesis"))]
    program += ["--config-file=schemathesis.toml", "run"]
    output = folder / "output.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [*program, "document.json", f"--url={url}", *CHECKS.split(), *OPTIONS.split(), *more],
            cwd=folder,
            env=build_environment(FUZZING_PLAN=str(folder / "plan.json"), PYTHONPATH=str(BASE_DIR)),
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        wait_while_active(process, [output, folder / "progress"])
    report = folder / "report.json"
    return process.returncode, output.read_text(), json.loads(report.read_text()) if report.exists() else {}


def wait_while_active(process, files):
    """Wait for `process`; kill it and fail when none of `files` has changed for `SILENCE_SECONDS`."""
    while process.poll() is None:
        time.sleep(0.2)
        latest = max(path.stat().st_mtime for path in files if path.exists())
        if time.time() - latest > SILENCE_SECONDS:
            process.kill()
            process.wait()
            pytest.fail(f"no progress for {SILENCE_SECONDS} s: {files[0].read_text()[-2000:]}")


def never_accepted(report):
    """Return operations without any successful request."""
    rates = report["valid_rates"]
    return [name for name, phases in rates.items() if not sum(each["accepted"] for each in phases.values())]


def call_names_numbers(document):
    """Keep the list of agents only, and give their names a wrong type."""
    path = "/api/v1/agents/"
    document["paths"] = {path: {"get": document["paths"][path]["get"]}}
    document["components"]["schemas"]["Agent"]["properties"]["name"] = {"type": "integer"}


@pytest.mark.slow
@pytest.mark.unmeasured
def test_the_api_keeps_to_its_document_and_a_wrong_one_is_noticed(key, tmp_path):
    with (tmp_path / "log").open("wb") as log, run_web_server(log, **UNLIMITED) as server:
        check_a_wrong_document(server, key, tmp_path)
        code, said, report = run_schemathesis(server.url, key, tmp_path, change=simplify)
    print(report["test_cases"])
    assert code == 0, said
    assert report["operations"]["tested"] == report["operations"]["total"] > 80
    missed = set(never_accepted(report)) - NEVER_ACCEPTED.keys()
    assert len(missed) <= MOST_MISSED * report["operations"]["total"], sorted(missed)


def check_a_wrong_document(server, key, folder):
    options = ("--phases=fuzzing", "--max-failures=1")
    code, said, _ = run_schemathesis(server.url, key, folder, change=call_names_numbers, more=options)
    assert code == 1
    assert "Response violates schema" in said
