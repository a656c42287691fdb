"""Generic tests of all API resources: isolation, serialization, queries, filters and ordering.

All tests of a resource share its rows. The query count of each list is compared with `query_baseline.json`. After an
intended change, update it:
 CONCLAVE_REFRESH_BASELINE=1 pytest config/tests/test_api_resources.py -k baseline -p no:xdist
"""

import datetime as dt
import json
import os
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import ProgrammingError, connection, models
from django.test.utils import CaptureQueriesContext

from config.api import viewsets
from config.api.expand import expandable
from config.api.filters import FilterSetBackend
from config.tenancy.scope import tenant_scope
from config.testing.database import shared_rows
from config.tests.resources import OWNED, ROUTES, VIEWSETS, create_client, create_resource

pytestmark = pytest.mark.django_db
BASELINE = Path(__file__).with_name("query_baseline.json")
# Resources without fixed path parameters; those with isolated rows first, as in `OWNED`.
PLAIN = {prefix: VIEWSETS[prefix] for prefix in (*OWNED, *sorted(ROUTES)) if "<" not in prefix}
NIL = "00000000-0000-7000-8000-000000000000"
KEPT = ("created_at", "updated_at", "deleted_at")


@pytest.fixture(scope="module")
def resource(request, django_db_setup, django_db_blocker):
    with shared_rows(django_db_blocker):
        yield create_resource(request.param)


def each_of(prefixes):
    return pytest.mark.parametrize("resource", prefixes, indirect=True)


each = each_of(PLAIN)


@each_of(OWNED)
def test_list_and_retrieve_show_own_rows_only(resource):
    ids, own = set(resource.ids()), resource.rows[0]

    assert {str(row.pk) for row in resource.rows} <= ids
    assert str(resource.foreign.pk) not in ids
    assert resource.client.get(resource.url(own)).json()["id"] == str(own.pk)


@each_of(OWNED)
def test_foreign_and_missing_rows_answer_alike(resource):
    for verb in ("get", "patch", "delete"):
        answers = []
        for wanted in (resource.foreign.pk, NIL):
            call = getattr(resource.client, verb)
            response = call(f"{resource.list_url}{wanted}/", content_type="application/json")
            answers.append((response.status_code, response.json() | {"instance": "", "request_id": ""}))
        assert answers[0] == answers[1], verb
        assert answers[0][0] in ((404,) if verb == "get" else (404, 405)), verb


def count_queries(resource, rows):
    """Return the number of queries of a list with at least `rows` rows."""
    with CaptureQueriesContext(connection) as captured:
        assert len(resource.listed()) >= rows
    assert len([query for query in captured if "row_to_json" in str(query["sql"])]) == 1
    return len(captured)


@each_of([*OWNED, *(prefix for prefix in sorted(ROUTES) if prefix not in OWNED)])
def test_list_takes_as_many_queries_for_five_rows_as_for_three_and_as_the_baseline(resource):
    # The first request of a kind compiles its statement.
    count_queries(resource, 3)
    three = count_queries(resource, 3)
    resource.add(2)

    assert count_queries(resource, 5) == three
    assert baseline(resource.prefix, three) == three


def baseline(prefix, counted):
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    if os.environ.get("CONCLAVE_REFRESH_BASELINE") == "1":
        known = {each: known.get(each) for each in ROUTES} | {prefix: counted}
        BASELINE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    return known.get(prefix)


def test_baseline_names_every_route_and_no_other():
    assert set(json.loads(BASELINE.read_text())) == set(ROUTES)


@each
@pytest.mark.parametrize("shape", ["", "fields", "expand"])
def test_sql_and_python_make_the_same_bytes(resource, shape, monkeypatch):
    client, view = resource.client, resource.view
    row = enrich(resource.rows[0], client.key)
    names = [name for name, field in view.serializer_class().fields.items() if not field.write_only]
    query = {"": "", "fields": f"fields={','.join(names[::2])}", "expand": ""}[shape]
    if shape == "expand":
        relations = expandable(view.serializer_class)
        query = f"expand={','.join(relations)}" if relations else ""
    addresses = [f"{resource.list_url}?{query}", f"{resource.url(row)}?{query}"]
    assert viewsets.compiled_plan(view.serializer_class, (), ()) is not None

    fast = [client.get(address) for address in addresses]
    monkeypatch.setattr(viewsets, "compiled_plan", lambda *_: None)
    slow = [client.get(address) for address in addresses]

    assert [answer.status_code for answer in fast + slow] == [200] * 4
    assert [answer.content for answer in fast] == [answer.content for answer in slow]
    assert [answer.get("ETag") for answer in fast] == [answer.get("ETag") for answer in slow]


def enrich(row, key):
    """Give the row edge-case values."""
    if type(row)._meta.app_label == "audit" or not hasattr(type(row), "objects"):
        return row
    awkward = {
        models.JSONField: {"a": [1, 1.5, 1e-7, 1e22, None, True], "ü": 'quote " \\ / \n \x1f'},
        models.TextField: 'two\nlines, "quoted", \\ / ü 😀 \x01\t',
        models.FloatField: 0.1,
        models.DateTimeField: dt.datetime(2026, 3, 4, 5, 6, 7, 800, tzinfo=dt.UTC),
    }
    changes = {}
    for field in row._meta.concrete_fields:
        for kind, value in awkward.items():
            if isinstance(field, kind) and not field.choices and field.name not in KEPT:
                changes[field.name] = value
    try:
        with tenant_scope(key.tenant_id, user=key.user_id):
            type(row).objects.filter(pk=row.pk).update(**changes)
    except ProgrammingError:
        # Append-only tables, and those that grant single columns, keep their plain rows.
        security = type(row).row_security
        assert "UPDATE" not in security.get("verbs", "UPDATE") or security.get("columns")
    return row


@each
def test_reference_filters_match_only_the_row(resource):
    row, view = resource.rows[0], resource.view()
    for name, made in FilterSetBackend().get_filterset_class(view).base_filters.items():
        if name.startswith("created_") or made.lookup_expr != "exact":
            continue
        value = getattr(row, type(row)._meta.get_field(name).attname)
        if isinstance(value, list):
            # A list of labels is filtered by one of them.
            value = next(iter(value), None)
        if value in (None, ""):
            continue
        text = json.dumps(value) if isinstance(value, bool) else str(value)
        assert str(row.pk) in resource.ids(f"&{name}={quote(text)}"), name


@each
def test_time_range_and_orders(resource):
    assert resource.listed("&created_before=2001-01-01T00:00:00Z") == []
    assert str(resource.rows[0].pk) in resource.ids("&created_after=2001-01-01T00:00:00Z")
    for name in ("id", *resource.view.ordering_fields):
        assert resource.ids(f"&ordering={name}") == resource.ids(f"&ordering=-{name}")[::-1]


@each
def test_every_serialized_time_filters_by_range(resource):
    row = resource.rows[0]
    made = FilterSetBackend().get_filterset_class(resource.view()).base_filters
    for name, bound in made.items():
        if bound.lookup_expr not in ("gte", "lt") or getattr(row, bound.field_name) is None:
            continue
        field = type(row)._meta.get_field(bound.field_name)
        if not isinstance(field, models.DateField):
            continue  # bounds of numbers: test_api_lookups
        moment = isinstance(field, models.DateTimeField)
        past, future = (f"{year}-01-01" + ("T00:00:00Z" if moment else "") for year in (1971, 2971))
        inside, outside = (past, future) if bound.lookup_expr == "gte" else (future, past)
        assert str(row.pk) in resource.ids(f"&{name}={inside}"), name
        assert resource.listed(f"&{name}={outside}") == [], name


def test_ranges_are_named_after_their_times():
    made = FilterSetBackend().get_filterset_class(PLAIN["calendar-events"]()).base_filters

    assert {"start_time_after", "start_time_before", "updated_after", "updated_before"} <= made.keys()
    engagements = FilterSetBackend().get_filterset_class(PLAIN["engagements"]()).base_filters
    assert {"start_date_after", "end_date_before"} <= engagements.keys()


@each
def test_unknown_parameter_is_named(resource):
    response = resource.client.get(f"{resource.list_url}?nonsense=1")

    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == "nonsense"


@each
def test_no_right_no_answer(resource):
    key = resource.client.key
    response = create_client(key.tenant_id, key.user, scopes=["nothing:read"]).get(resource.list_url)

    scope = f"{resource.view.resource}:read"
    assert response.status_code == 403
    assert response.json()["code"] == "permission_denied"
    assert response.json()["detail"] == f"Your API key does not grant {scope}."
    assert response.json()["scope"] == scope


@each
def test_pages_in_both_directions_show_each_row_once(resource):
    client = resource.client
    resource.add(2)
    whole = resource.ids()
    forward, backward, address = [], [], f"{resource.list_url}?limit=2"
    while address:
        page = client.get(address).json()
        forward += [row["id"] for row in page["results"]]
        last, address = page, page["next"]
    address = last["previous"]
    while address:
        page = client.get(address).json()
        backward = [row["id"] for row in page["results"]] + backward
        address = page["previous"]

    assert forward == whole
    assert backward + [row["id"] for row in last["results"]] == whole
    assert len(set(whole)) == len(whole) >= 5


def test_ids_are_uuids():
    assert uuid.UUID(NIL).version == 7


def put(resource, body):
    return resource.client.put(resource.url(resource.rows[0]), body, content_type="application/json")


def pointers(response):
    return [error.get("pointer") for error in response.json().get("errors", [])]


WRITABLE = [prefix for prefix in PLAIN if issubclass(PLAIN[prefix], viewsets.UpdateMixin)]
CREATED = [prefix for prefix in PLAIN if issubclass(PLAIN[prefix], viewsets.CreateMixin)]


@each_of(WRITABLE)
def test_a_row_can_be_sent_back_as_read(resource):
    url = resource.url(resource.rows[0])
    read = resource.client.get(url)

    response = resource.client.put(
        url, read.json(), content_type="application/json", headers={"If-Match": read["ETag"]}
    )

    assert response.status_code == 200, response.content
    assert response.json() | {"updated_at": ""} == read.json() | {"updated_at": ""}


@each_of(WRITABLE)
def test_unknown_and_changed_read_only_members_are_refused(resource):
    url = resource.url(resource.rows[0])
    read = resource.client.get(url).json()
    changes = {"nonsense": 1, "a/b~c": None, "tenant_id": read["id"], "id": NIL, "created_at": "2001-01-01"}

    for call in (resource.client.put, resource.client.patch):
        for name in changes.keys() - ({"created_at"} - read.keys()):
            response = call(url, read | {name: changes[name]}, content_type="application/json")
            pointer = "/" + name.replace("~", "~0").replace("/", "~1")
            assert (response.status_code, pointers(response)) == (400, [pointer]), name
    assert resource.client.get(url).json() == read


@each_of(CREATED)
def test_creating_refuses_unknown_and_read_only_members(resource):
    body = {"nonsense": 1, "id": NIL}

    response = resource.client.post(resource.list_url, body, content_type="application/json")

    assert response.status_code == 400
    errors = [(error["pointer"], error["code"]) for error in response.json()["errors"]]
    assert errors == [("/nonsense", "unknown_member"), ("/id", "read_only")]
