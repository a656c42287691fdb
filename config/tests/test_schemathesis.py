"""schemathesis over the OpenAPI document and the real web server: no 5xx, no answer that the document does not know.

It runs as a program of its own; `config.tests.fuzzing` leads it to rows that are there.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from accounts.tests.factories import ApiKeyFactory
from config.testing.factories import factory_for, house_models
from config.testing.fixtures import add_member
from config.testing.served import BASE_DIR, environment, served
from tenants.scoping import tenant_scope
from tenants.tests.factories import TenantFactory

ROWS, RUN_SECONDS = 8, 500
DOCUMENT = "/api/v1/openapi.json"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance"
)
OPTIONS = (
    "--phases=examples,coverage,fuzzing --max-examples=15 --workers=2 --generation-deterministic --no-shrink"
    " --continue-on-failure --request-timeout=60 --suppress-health-check=all --no-color"
)
CONFIGURATION = 'hooks = "config.tests.fuzzing"\n[headers]\nAuthorization = "Bearer {secret}"\n'


@pytest.fixture
def key(transactional_db):
    """A key of an administrator whose tenant has rows of every model."""
    tenant = TenantFactory()
    member = add_member(tenant)
    with tenant_scope(tenant, user=member.user):
        for model in house_models():
            if model.scope_kind == "tenant":
                factory_for(model).create_batch(ROWS)
        made = ApiKeyFactory(user=member.user, rate_limit=10_000_000)
    made.kept = [str(made.pk), str(member.pk), str(member.user_id)]
    return made


class Lister:
    """Reads ids out of the API's own lists."""

    def __init__(self, url, key):
        self.url, self.key = url, key
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key.secret}"

    def ids(self, path):
        rows = self.session.get(f"{self.url}{path}?limit=50").json().get("results", [])
        return [row["id"] for row in rows if row["id"] not in self.key.kept]

    def places(self, path, conversations):
        """Values for the placeholders of an address, each naming a row that is there."""
        parent, placeholder, _ = path.partition("{id}")
        if "{conversation_id}" not in path:
            return [{"id": each} for each in self.ids(parent)] if placeholder else []
        owners = [{"conversation_id": each} for each in conversations]
        if not placeholder:
            return owners
        return [owner | {"id": each} for owner in owners for each in self.ids(parent.format(**owner))]

    def plan(self):
        """What `config.tests.fuzzing` needs; the document is made at its first request, which takes long."""
        paths = self.session.get(f"{self.url}{DOCUMENT}", timeout=120).json()["paths"]
        conversations = self.ids("/api/v1/conversations/")
        places = {path: self.places(path, conversations) for path in paths if "{" in path}
        empty = [path for path, found in places.items() if not found]
        assert not empty, f"no rows for {empty}"
        return {"kept": self.key.kept, "places": places}


def run_schemathesis(url, key, folder):
    """Its exit code, what it said and its report."""
    configuration, plan, report = (
        folder / name for name in ("schemathesis.toml", "plan.json", "report.json")
    )
    configuration.write_text(CONFIGURATION.format(secret=key.secret))
    plan.write_text(json.dumps(Lister(url, key).plan()))
    program = [str(Path(sys.executable).with_name("schemathesis")), f"--config-file={configuration}", "run"]
    options = [*OPTIONS.split(), f"--checks={CHECKS}", f"--report-json-path={report}"]
    done = subprocess.run(
        [*program, f"{url}{DOCUMENT}", *options],
        cwd=folder,
        env=environment(FUZZING_PLAN=str(plan), PYTHONPATH=str(BASE_DIR)),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, json.loads(report.read_text())


@pytest.mark.slow
def test_the_api_keeps_to_its_document(key, tmp_path):
    with (tmp_path / "log").open("wb") as log, served(log, API_DEFAULT_RATE="10000000") as server:
        code, said, report = run_schemathesis(server.url, key, tmp_path)
    Path("/tmp/sch.out").write_text(said + json.dumps(report, indent=1) + str(tmp_path))
    assert code == 0, said
