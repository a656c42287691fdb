"""Request bodies: every operation refuses members that it does not document."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from config.api import unknown_members
from config.api.docs import document

pytestmark = pytest.mark.django_db
NIL = "00000000-0000-7000-8000-000000000000"
JSON, FORM = "application/json", "multipart/form-data"
# PUT and PATCH of a row answer 404 for an unknown id; `test_api_resources` sends them to existing rows.
OPERATIONS = sorted(
    (method, path)
    for path, methods in document()["paths"].items()
    for method in methods.keys() & {"post", "put", "patch"}
    if method == "post" or "{" not in path
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
def test_every_operation_refuses_unknown_members(api_client, attacks):
    client = api_client(rate_limit=100_000)
    for method, path in OPERATIONS:
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
