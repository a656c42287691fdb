"""Every error is a problem document, and no input causes a 5xx response."""

import pytest
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config.api import viewsets

pytestmark = pytest.mark.django_db
AGENTS = "/api/v1/agents/"
JSON = "application/json"
NIL = "00000000-0000-7000-8000-000000000000"


def post(client, body, address=AGENTS, **options):
    return client.post(address, body, content_type=options.pop("content_type", JSON), **options)


def assert_problem(response, status, code=None):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert {"type", "title", "status", "detail", "code", "instance", "request_id"} <= body.keys()
    assert body["status"] == status
    assert code in (None, body["code"])
    return body


def test_unknown_urls(api_client):
    for address in ("/api/", "/api/v1/nope/", "/api/v1/agents/not-a-uuid/", "/api/v2/a%0Ab/"):
        assert_problem(api_client().get(address), 404, "not_found")


def test_unsupported_method_lists_the_allowed_methods(api_client):
    response = api_client().put(AGENTS)

    assert_problem(response, 405, "method_not_allowed")
    assert set(response["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_unsupported_types(api_client):
    assert_problem(post(api_client(), "<a/>", content_type="application/xml"), 415, "unsupported_media_type")
    assert_problem(api_client().get(AGENTS, headers={"accept": "text/html"}), 406, "not_acceptable")


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '"text"',
        "NaN",
        '{"name": NaN}',
        '{"name": "a\\u0000b", "slug": "s"}',
        '{"name": "\\ud800", "slug": "s"}',
        '{"name": "n", "slug": "s", "metadata": {"k\\u0000": 1}}',
        '{"name": "n", "slug": "s", "metadata": ' + '{"a":' * 80 + "1" + "}" * 80 + "}",
        '{"name": "n", "slug": "s", "metadata": ' + "[" * 5000 + "]" * 5000 + "}",
        b"\xff\xfe{}",
        b'{"name": "\xed\xa0\x80"}',
    ],
    ids=range(12),
)
def test_bodies_that_are_no_json_objects_of_ours(body, api_client):
    assert_problem(post(api_client(), body), 400)


def test_large_bodies_are_413(api_client, settings):
    settings.API_MAX_BODY_BYTES = 1000

    assert_problem(post(api_client(), {"name": "x" * 1000, "slug": "s"}), 413, "too_large")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": None}, "/name"),
        ({"name": ["x"]}, "/name"),
        ({"name": "x" * 300}, "/name"),
        ({"slug": "no spaces allowed"}, "/slug"),
        ({"status": "nope"}, "/status"),
        ({"temperature": "9"}, "/temperature"),
        ({"temperature": "NaN"}, "/temperature"),
        ({"temperature": 1e300}, "/temperature"),
        ({"max_tokens": 10**30}, "/max_tokens"),
        ({"max_tokens": 2**31}, "/max_tokens"),
        ({"max_tokens": -1}, "/max_tokens"),
        ({"max_tokens": "many"}, "/max_tokens"),
        ({"memory_enabled": "maybe"}, "/memory_enabled"),
        ({"integration": "not-a-uuid"}, "/integration"),
        ({"integration": 7}, "/integration"),
        ({"integration": NIL}, "/integration"),
        ({"collections": [NIL]}, "/collections/0"),
        ({"collections": "x"}, "/collections"),
        ({"tags": {"a": 1}}, "/tags"),
        ({"tags": [1, {}]}, "/tags/1"),
        ({"metadata": [1]}, "/metadata"),
        ({"metadata": "text"}, "/metadata"),
    ],
    ids=str,
)
def test_values_are_refused_with_a_pointer(change, pointer, api_client):
    response = post(api_client(), {"name": "n", "slug": "s"} | change)

    body = assert_problem(response, 400, "invalid")
    assert pointer in [error["pointer"] for error in body["errors"]]


def test_foreign_and_missing_references_answer_alike(api_client, other_tenant):
    from agents.tests.factories import IntegrationFactory
    from config.tenancy.scope import tenant_scope

    with tenant_scope(other_tenant, actor="system:test"):
        foreign = IntegrationFactory()
    client = api_client()
    bodies = [
        post(client, {"name": "n", "slug": "s", "integration": str(i)}).json() for i in (foreign.pk, NIL)
    ]

    assert bodies[0]["errors"] == bodies[1]["errors"]
    assert bodies[0]["errors"][0]["code"] == "does_not_exist"


def test_taken_slug_is_409_in_the_models_words(api_client):
    client = api_client()
    post(client, {"name": "n", "slug": "s"})

    body = assert_problem(post(client, {"name": "m", "slug": "s"}), 409, "conflict")

    assert body["errors"] == [
        {"pointer": "/slug", "code": "unique", "detail": "An agent with this slug already exists."}
    ]


def test_check_constraint_is_400_in_the_models_words(api_client):
    days = {"name": "E", "start_date": "2026-02-02", "end_date": "2026-02-01"}

    body = assert_problem(post(api_client(), days, "/api/v1/engagements/"), 400, "invalid")

    assert body["detail"] == "The end date must not be before the start date."


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=201",
        "limit=x",
        "limit=1e1",
        "cursor=x",
        "cursor=AAAA",
        "cursor=%00",
        "ordering=password",
        "ordering=--id",
        "fields=nope",
        "fields=id,tenant",
        "expand=tenant",
        "status=nope",
        "integration=nope",
        "created_after=yesterday",
        "created_before=9999-99-99",
        "slug=%00",
        "nope=1",
        "integration=",
        "ordering=",
        "created_after=",
    ],
)
def test_bad_parameters(query, api_client):
    assert_problem(api_client().get(f"{AGENTS}?{query}"), 400)


def test_cursor_of_another_ordering_is_refused(api_client):
    client = api_client()
    for slug in ("a", "b"):
        post(client, {"name": slug, "slug": slug})
    following = client.get(f"{AGENTS}?limit=1&ordering=name").json()["next"]

    assert_problem(client.get(following.replace("ordering=name", "ordering=-id")), 400, "invalid_cursor")


def test_moments_outside_the_range_of_ids(api_client):
    for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-01-01T00:00:00%2B14:00"):
        response = api_client().get(f"/api/v1/audit-logs/?created_after={moment}")

        assert response.status_code in (200, 400), response.content


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [
        ("40001", 503),
        ("40P01", 503),
        ("57014", 503),
        ("55P03", 503),
        ("42501", 403),
        ("22P02", 400),
        ("22021", 400),
        ("23505", 409),
        ("23503", 409),
        ("53300", 503),
    ],
)
def test_sqlstates(sqlstate, status, api_client, monkeypatch):
    def fail(self, request, *args, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'secret words' USING ERRCODE = '{sqlstate}'; END $$")

    monkeypatch.setattr(viewsets.ReadOnlyTenantViewSet, "retrieve", fail)
    response = api_client().get(f"{AGENTS}{NIL}/")

    assert_problem(response, status)
    assert b"secret" not in response.content
    assert ("Retry-After" in response) == (status == 503)


def test_unexpected_error_reveals_nothing(api_client, monkeypatch):
    def fail(self, request, *args, **kwargs):
        raise RuntimeError("secret words")

    monkeypatch.setattr(viewsets.ReadOnlyTenantViewSet, "retrieve", fail)
    client = api_client()
    client.raise_request_exception = False
    response = client.get(f"{AGENTS}{NIL}/")

    assert_problem(response, 500, "internal")
    assert b"secret" not in response.content


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "name",
    "slug",
    "integration",
    "temperature",
    "max_tokens",
    "tags",
    "collections",
    "metadata",
    "status",
)


@given(changes=st.dictionaries(st.sampled_from(FIELDS), json_values, min_size=1))
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_body_answers_5xx(changes, api_client):
    import json

    client = api_client()
    client.raise_request_exception = False
    response = post(client, json.dumps({"name": "n", "slug": "s"} | changes))

    assert response.status_code in (201, 400, 409), (changes, response.content)
    if response.status_code == 201:
        assert client.get(response["Location"]).status_code == 200


@given(
    query=st.dictionaries(
        st.sampled_from(("limit", "cursor", "status", "created_after", "fields")), st.text()
    )
)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_query_answers_5xx(query, api_client):
    client = api_client()
    client.raise_request_exception = False

    assert client.get(AGENTS, query).status_code in (200, 400)


def test_anonymous_errors_are_problems_too(db):
    assert_problem(Client().get("/api/v1/nope/"), 404)
    assert_problem(Client().get(AGENTS), 401)


@pytest.mark.parametrize("value", ["0.5", "1e3", "x", "9" * 30])
def test_filters_by_whole_numbers_take_whole_numbers(value, api_client):
    assert api_client().get(f"/api/v1/agent-versions/?version={value}").status_code == 400


@pytest.mark.parametrize("address", [AGENTS, "/api/v1/search/", "/v1/models", "/api/v1/nope/"])
def test_too_many_parameters_are_refused(address, api_client, settings):
    """Django raises TooManyFieldsSent, a SuspiciousOperation, when a view first reads the parameters."""
    query = "&".join(f"p{number}=1" for number in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1))
    for client in (api_client(), Client()):
        assert client.get(f"{address}?{query}").status_code in {400, 401, 404, 405}
    assert_problem(api_client().get(f"{AGENTS}?{query}"), 400, "invalid")
