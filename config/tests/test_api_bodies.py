"""Request bodies: every operation refuses members that it does not document."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.roles import ROLE_SCOPES
from accounts.tests.factories import PlatformKeyFactory
from config.api import unknown_members
from config.api.docs import document
from config.api.scope_fields import list_resources, scope_pattern

pytestmark = pytest.mark.django_db
NIL = "00000000-0000-7000-8000-000000000000"
JSON, FORM = "application/json", "multipart/form-data"


def list_operations():
    """Return the operations with a body, by method and path.

    PUT and PATCH of a row answer 404 for an unknown id; `test_api_resources` sends them to existing rows.
    """
    return sorted(
        (method, path)
        for path, methods in document()["paths"].items()
        for method in methods.keys() & {"post", "put", "patch"}
        if path.startswith("/api/") and (method == "post" or "{" not in path)
    )


def accepts(method, path):
    """Return the media types of an operation's request body, or JSON if it documents none."""
    operation = document()["paths"][path][method]
    return operation.get("requestBody", {}).get("content", {JSON: {}}).keys() & {JSON, FORM}


def send(client, method, path, media_type):
    url, body = re.sub(r"\{\w+\}", NIL, path), {"nonsense": 1}
    if media_type == FORM:
        return client.post(url, body | {"file": SimpleUploadedFile("a.txt", b"a")})
    return getattr(client, method)(url, body, content_type=JSON)


def was_understood(response):
    """Return whether the unknown member was not named as an error."""
    pointers = [error.get("pointer") for error in response.json().get("errors", [])]
    return response.status_code != 400 or "/nonsense" not in pointers


@pytest.mark.security("unknown input")
def test_every_operation_refuses_unknown_members(api_client, admin_client, attacks):
    key_client = api_client(rate_limit=100_000)
    platform_client = Client(headers={"authorization": f"Bearer {PlatformKeyFactory().secret}"})
    for method, path in list_operations():
        takes_keys = {"apiKey": []} in document()["paths"][path][method]["security"]
        client = key_client if takes_keys else admin_client
        if path.startswith("/api/v1/tenants/"):
            client = platform_client
        for media_type in accepts(method, path):
            response = send(client, method, path, media_type)
            attacks.attempt(f"{method} {path} {media_type}", succeeded=was_understood(response))
    assert attacks.attempts > 60


@pytest.mark.security("unknown input", mutation=True)
def test_unknown_members_are_dropped_without_the_check(api_client, attacks, monkeypatch):
    monkeypatch.setattr(unknown_members, "_iter_refused", lambda *_: iter(()))
    client = api_client(rate_limit=100_000)

    response = client.post(
        "/api/v1/agents/", {"name": "n", "slug": "s", "nonsense": 1}, content_type="application/json"
    )

    attacks.attempt(succeeded=response.status_code == 201)


@pytest.mark.security("unknown input")
def test_nested_objects_refuse_unknown_members(api_client, attacks):
    body = {"query": "q", "filters": {"metadata": {"free": 1}, "a/b~": 1}}

    response = api_client().post("/api/v1/search/", body, content_type=JSON)

    pointers = [error["pointer"] for error in response.json().get("errors", [])]
    attacks.attempt(succeeded=(response.status_code, pointers) != (400, ["/filters/a~1b~0"]))


@pytest.mark.parametrize(
    ("path", "name"), [("api-keys", "scopes"), ("roles", "permissions")], ids=["keys", "roles"]
)
@pytest.mark.security("unknown input")
def test_unknown_scopes_are_refused(path, name, api_client, attacks):
    client = api_client()
    for scope in ("agents:fly", "nothing:read", "agents", "*:all", "*self*:read", ""):
        body = {"name": "n", "slug": "s", name: ["agents:read", scope]}
        if path == "api-keys":
            del body["slug"]
        response = client.post(f"/api/v1/{path}/", body, content_type=JSON)
        pointers = [error["pointer"] for error in response.json().get("errors", [])]
        attacks.attempt(scope, succeeded=(response.status_code, pointers) != (400, [f"/{name}/1"]))


def test_every_documented_scope_exists():
    text = (settings.BASE_DIR / "docs/reference/roles-and-scopes.md").read_text()
    table = text.partition("## Resources")[2].partition("\n\n`credentials`")[0]
    documented = set(re.findall(r"`([a-z-]+)`", table))

    assert documented == set(list_resources())
    assert all(re.fullmatch(scope_pattern(), scope) for role in ROLE_SCOPES.values() for scope in role)


@pytest.mark.security("unknown input")
def test_past_expiry_of_a_key_is_refused_unless_it_is_stored(api_client, api_key, attacks):
    client, past = api_client(), timezone.now() - timedelta(seconds=1)
    expired = api_key(user=client.key.user, expires_at=past)
    own = f"/api/v1/api-keys/{client.key.pk}/"
    body = {"expires_at": past.isoformat()}

    created = client.post("/api/v1/api-keys/", body | {"name": "k"}, content_type=JSON)
    changed = client.patch(own, body, content_type=JSON)
    same = client.patch(f"/api/v1/api-keys/{expired.pk}/", body, content_type=JSON)

    for response in (created, changed):
        attacks.attempt(succeeded=response.status_code != 400)
        assert response.json()["errors"][0] | {"detail": ""} == {
            "pointer": "/expires_at",
            "code": "past",
            "detail": "",
        }
    assert same.status_code == 200
