"""OpenAPI document, API reference pages, health checks and declarations."""

import json
import re
from pathlib import Path
from urllib.parse import urlencode

import drf_spectacular.validation
import jsonschema_rs
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import resolve

from accounts.tests.factories import PlatformKeyFactory
from config.api import checks, health
from config.api.docs import document
from config.api.permissions import required_verb
from config.api.views import ApiView
from config.api.viewsets import TenantViewSet
from config.observability.middleware import UNTRACED

pytestmark = pytest.mark.django_db
NIL = "00000000-0000-7000-8000-000000000000"
# Accepted by some operations only.
OFTEN_UNSUPPORTED = {"fields", "expand", "q", "count", "ordering", "limit", "cursor"}


def test_document_is_valid_and_without_warnings(tmp_path):
    path = tmp_path / "openapi.json"
    call_command("spectacular", "--fail-on-warn", "--format", "openapi-json", "--file", str(path))
    # `--validate` takes twenty seconds for the same schema.
    schema = Path(drf_spectacular.validation.__file__).with_name("openapi_3_1_schema.json")
    validator = jsonschema_rs.validator_for(json.loads(schema.read_text()))
    assert list(validator.iter_errors(json.loads(path.read_text()))) == []


def test_document_is_served_as_json_and_yaml():
    answer = Client().get("/api/v1/openapi.json")

    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")
    assert Client().get("/api/v1/openapi.yaml").content.startswith(b"openapi: 3.1")


def test_every_operation_documents_its_problems():
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            statuses = set(operation["responses"])
            assert {"400", "401", "403", "404", "405", "429"} <= statuses, (path, method)
            assert any(status.startswith("2") for status in statuses), (path, method)


@pytest.mark.security("unknown input")
def test_every_operation_takes_exactly_the_documented_parameters(api_client, admin_client, attacks):
    platform_key = PlatformKeyFactory().secret
    clients = {
        "apiKey": api_client(rate_limit=1_000_000),
        "personSession": admin_client,
        "platformKey": Client(headers={"authorization": f"Bearer {platform_key}"}),
    }
    # Errors of `/v1` have other formats.
    operations = {path: each for path, each in document()["paths"].items() if path.startswith("/api/")}
    for path, methods in operations.items():
        for method, operation in methods.items():
            client = clients[next(iter(operation["security"][0]), "personSession")]
            url = re.sub(r"\{\w+\}", NIL, path)
            names = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
            unsupported = {"nonsense"} | OFTEN_UNSUPPORTED - names
            answer = client.generic(method.upper(), f"{url}?{urlencode(dict.fromkeys(unsupported, 'x'))}")
            refused = unknown_parameters(answer)
            for name in unsupported:
                attacks.attempt(f"{method} {path}?{name}", succeeded=name not in refused)
            answer = client.generic(method.upper(), f"{url}?{urlencode(dict.fromkeys(names, 'x'))}")
            assert unknown_parameters(answer) == set(), (method, path)


def unknown_parameters(answer):
    """Return the parameters that a response names as unknown."""
    body = answer.json() if answer.status_code == 400 else {}
    errors = body.get("errors", []) if body.get("code") == "unknown_parameter" else []
    return {error["parameter"] for error in errors}


def test_both_ways_to_sign_in_are_documented():
    schemes = document()["components"]["securitySchemes"]

    assert schemes["apiKey"]["scheme"] == "bearer"
    assert schemes["session"]["in"] == "cookie"


@pytest.mark.parametrize("address", ["docs", "redoc"])
def test_documentation_pages_load_no_external_resources(address):
    response = Client().get(f"/api/v1/{address}/")
    text = response.content.decode()

    assert response.status_code == 200
    assert "/static/drf_spectacular_sidecar/" in text
    assert "http://" not in text.replace("http://testserver", "").replace("http://www.w3.org", "")
    assert "https://" not in text
    assert "default-src 'self'" in response["Content-Security-Policy"]


def test_health_needs_no_database(django_assert_num_queries):
    with django_assert_num_queries(0):
        response = Client().get("/healthz")

    assert response.json() == {"status": "ok"}


@pytest.mark.parametrize("path", UNTRACED)
def test_untraced_path_exists(path):
    assert path == settings.STATIC_URL or resolve(path)


def test_ready_when_everything_stands():
    response = Client().get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ready"})


def test_readiness_reports_reasons(monkeypatch):
    monkeypatch.setitem(health.CHECKS, "partitions", lambda: "no future partition for agents.llmusage")

    response = Client().get("/readyz")

    assert response.status_code == 503
    assert response.json()["reasons"] == {"partitions": "no future partition for agents.llmusage"}


def test_partition_check_sees_missing_ones(monkeypatch):
    monkeypatch.setattr("config.db.partitions.periods_ahead", lambda model: 0)

    assert "agents.llmusage" in health._partitions()


def test_not_ready_without_a_database(monkeypatch):
    from django.db import OperationalError

    def fail(*args, **kwargs):
        raise OperationalError("connection refused to 10.0.0.1")

    monkeypatch.setattr(connection, "cursor", fail)
    response = Client().get("/readyz")

    assert response.status_code == 503
    assert response.json()["reasons"] == {"database": "does not respond"}


def test_root_leads_to_the_console():
    assert Client().get("/")["Location"] == "/console/"


def test_views_without_declarations_are_found():
    class Bare(ApiView):
        pass

    class Halfway(TenantViewSet):
        resource = "agents"

    assert checks.missing_declarations(Bare, None) == ["resource"]
    assert checks.missing_declarations(Halfway, {"get": "list", "post": "launch"}) == ["verb of launch"]
    assert checks.check_declarations(None) == []


def test_undeclared_action_is_denied():
    view = TenantViewSet()
    view.action = "launch"

    assert required_verb(view, "POST") is None
