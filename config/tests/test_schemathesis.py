"""schemathesis over the OpenAPI document and the real web server: no 5xx, no answer that the document does not know.

The tenant has rows of everything; the tool takes ids out of lists and so gets beyond 404.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from accounts.tests.factories import ApiKeyFactory
from config.testing.factories import factory_for, house_models
from config.testing.fixtures import add_member
from config.testing.served import served
from tenants.scoping import tenant_scope
from tenants.tests.factories import TenantFactory

ROWS, RUN_SECONDS = 3, 500
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance"
)
OPTIONS = (
    "--phases=examples,coverage,fuzzing --max-examples=15 --workers=2 --seed=20260101 --generation-deterministic"
    " --no-shrink --continue-on-failure --request-timeout=60 --suppress-health-check=all --no-color"
)
CONFIGURATION = '[headers]\nAuthorization = "Bearer {secret}"\n'


@pytest.fixture
def key(transactional_db):
    """A key of an administrator whose tenant has rows of every model."""
    tenant = TenantFactory()
    user = add_member(tenant).user
    with tenant_scope(tenant, user=user):
        for model in house_models():
            if model.scope_kind == "tenant":
                factory_for(model).create_batch(ROWS)
        return ApiKeyFactory(user=user, rate_limit=10_000_000)


def run_schemathesis(url, key, folder):
    """Its exit code, what it said and its report."""
    configuration, report = folder / "schemathesis.toml", folder / "report.json"
    configuration.write_text(CONFIGURATION.format(secret=key.secret))
    # The document is made at its first request, which may take longer than the tool waits.
    urllib.request.urlopen(f"{url}/api/v1/openapi.json", timeout=120).close()
    program = [str(Path(sys.executable).with_name("schemathesis")), f"--config-file={configuration}", "run"]
    options = [*OPTIONS.split(), f"--checks={CHECKS}", f"--report-json-path={report}"]
    done = subprocess.run(
        [*program, f"{url}/api/v1/openapi.json", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, json.loads(report.read_text())


@pytest.mark.slow
def test_the_api_keeps_to_its_document(key, tmp_path):
    with (tmp_path / "log").open("wb") as log, served(log) as server:
        code, said, report = run_schemathesis(server.url, key, tmp_path)
    if os.environ.get("SCH"):
        Path(os.environ["SCH"]).write_text(said + json.dumps(report, indent=1)[:20000] + str(tmp_path))
    assert code == 0, said
