"""Generic tests of all API resources: isolation, serialization, filters and ordering."""

import datetime as dt
import json
import uuid
from urllib.parse import quote

import pytest
from django.db import ProgrammingError, connection, models
from django.test.utils import CaptureQueriesContext

from config.api import viewsets
from config.api.expand import expandable
from config.api.filters import FilterSetBackend
from config.api.routers import build_router
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from config.testing.fixtures import add_member

pytestmark = pytest.mark.django_db
RESOURCES = {prefix: viewset for prefix, viewset, _ in build_router().registry}
# Fixed path parameters of nested resources.
PLAIN = {prefix: view for prefix, view in RESOURCES.items() if "<" not in prefix}
NIL = "00000000-0000-7000-8000-000000000000"
# Values that make a row visible to the acting user.
OWN = {"rag-queries": "user_id", "conversations": "user_id"}
KEPT = ("created_at", "updated_at", "deleted_at")
each = pytest.mark.parametrize("prefix", sorted(PLAIN))
# Some platform rows are visible to all tenants.
OWNED = [
    prefix
    for prefix, view in PLAIN.items()
    if view.serializer_class.Meta.model.row_security.get("read") not in ("true", "is_public")
]
each_owned = pytest.mark.parametrize("prefix", sorted(OWNED))


def rows_of(prefix, key, count=1, tenant=None):
    """Create `count` rows of the resource's model in the key's tenant, or another."""
    model = PLAIN[prefix].serializer_class.Meta.model
    own = {OWN[prefix]: key.user_id} if prefix in OWN and tenant is None else {}
    person = add_member(tenant).user if tenant else key.user_id
    with tenant_scope(tenant or key.tenant_id, actor="system:test", user=person):
        return [factory_for(model)(**own) for _ in range(count)]


def url(prefix, row=None):
    return f"/api/v1/{prefix}/" + (f"{row.pk}/" if row else "")


def listed(client, prefix, query=""):
    response = client.get(f"{url(prefix)}?limit=200{query}")
    assert response.status_code == 200, response.content
    return response.json()["results"]


@each_owned
def test_list_and_retrieve_show_own_rows_alone(prefix, api_client, other_tenant):
    client = api_client()
    (own,) = rows_of(prefix, client.key)
    (foreign,) = rows_of(prefix, client.key, tenant=other_tenant)

    ids = {row["id"] for row in listed(client, prefix)}

    assert str(own.pk) in ids
    assert str(foreign.pk) not in ids
    assert client.get(url(prefix, own)).json()["id"] == str(own.pk)


@each_owned
def test_foreign_and_missing_rows_answer_alike(prefix, api_client, other_tenant):
    client = api_client()
    (foreign,) = rows_of(prefix, client.key, tenant=other_tenant)
    answers = []

    for identifier in (foreign.pk, NIL):
        response = client.get(f"{url(prefix)}{identifier}/")
        body = response.json()
        answers.append((response.status_code, body["title"], body["detail"], body["code"], body["type"]))

    assert answers[0] == answers[1]
    assert answers[0][0] == 404


@each
@pytest.mark.parametrize("shape", ["", "fields", "expand"])
def test_sql_and_python_make_the_same_bytes(prefix, shape, api_client, monkeypatch):
    client = api_client()
    view = PLAIN[prefix]
    rows = enrich(rows_of(prefix, client.key, 3), client.key)
    names = [name for name, field in view.serializer_class().fields.items() if not field.write_only]
    query = {"": "", "fields": f"fields={','.join(names[::2])}", "expand": ""}[shape]
    if shape == "expand":
        query = f"expand={','.join(expandable(view.serializer_class))}"
    addresses = [f"{url(prefix)}?{query}", f"{url(prefix, rows[0])}?{query}"]
    assert viewsets.compiled_plan(view.serializer_class, (), ()) is not None

    fast = [client.get(address) for address in addresses]
    monkeypatch.setattr(viewsets, "compiled_plan", lambda *_: None)
    slow = [client.get(address) for address in addresses]

    assert [answer.status_code for answer in fast + slow] == [200] * 4
    assert [answer.content for answer in fast] == [answer.content for answer in slow]
    assert [answer.get("ETag") for answer in fast] == [answer.get("ETag") for answer in slow]


def enrich(rows, key):
    """Give the first row edge-case values."""
    row = rows[0]
    if type(row)._meta.app_label == "audit" or not hasattr(type(row), "objects"):
        return rows
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
        # Append-only tables keep their plain rows.
        assert "UPDATE" not in type(row).row_security.get("verbs", "UPDATE")
    return rows


@each
def test_one_row_and_three_cost_the_same_queries(prefix, api_client):
    client = api_client()
    rows_of(prefix, client.key)
    # The first request of a kind compiles its statement.
    listed(client, prefix)

    with CaptureQueriesContext(connection) as one:
        listed(client, prefix)
    rows_of(prefix, client.key, 2)
    with CaptureQueriesContext(connection) as three:
        listed(client, prefix)

    selects = [query["sql"] for query in three if "row_to_json" in query["sql"]]
    assert len(one) == len(three)
    assert len(selects) == 1


@each
def test_filters_take_the_row_itself_and_nothing_else(prefix, api_client):
    client = api_client()
    (row,) = rows_of(prefix, client.key)
    view = PLAIN[prefix]()
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
        ids = {found["id"] for found in listed(client, prefix, f"&{name}={quote(text)}")}
        assert str(row.pk) in ids, name


@each
def test_time_range_and_orders(prefix, api_client):
    client = api_client()
    row, *_ = rows_of(prefix, client.key, 2)

    assert listed(client, prefix, "&created_before=2001-01-01T00:00:00Z") == []
    assert str(row.pk) in {
        found["id"] for found in listed(client, prefix, "&created_after=2001-01-01T00:00:00Z")
    }
    for name in ("id", *PLAIN[prefix].ordering_fields):
        up = [found["id"] for found in listed(client, prefix, f"&ordering={name}")]
        down = [found["id"] for found in listed(client, prefix, f"&ordering=-{name}")]
        assert up == down[::-1]


@each
def test_every_time_that_is_shown_filters_by_range(prefix, api_client):
    client = api_client()
    (row,) = rows_of(prefix, client.key)
    made = FilterSetBackend().get_filterset_class(PLAIN[prefix]()).base_filters
    for name, bound in made.items():
        if bound.lookup_expr not in ("gte", "lt") or getattr(row, bound.field_name) is None:
            continue
        field = type(row)._meta.get_field(bound.field_name)
        if not isinstance(field, models.DateField):
            continue  # bounds of numbers: test_api_lookups
        moment = isinstance(field, models.DateTimeField)
        past, future = (f"{year}-01-01" + ("T00:00:00Z" if moment else "") for year in (1971, 2971))
        inside, outside = (past, future) if bound.lookup_expr == "gte" else (future, past)
        assert str(row.pk) in {found["id"] for found in listed(client, prefix, f"&{name}={inside}")}, name
        assert listed(client, prefix, f"&{name}={outside}") == [], name


def test_ranges_are_named_after_their_times():
    made = FilterSetBackend().get_filterset_class(PLAIN["calendar-events"]()).base_filters

    assert {"start_time_after", "start_time_before", "updated_after", "updated_before"} <= made.keys()
    engagements = FilterSetBackend().get_filterset_class(PLAIN["engagements"]()).base_filters
    assert {"start_date_after", "end_date_before"} <= engagements.keys()


@each
def test_unknown_parameter_is_named(prefix, api_client):
    response = api_client().get(f"{url(prefix)}?nonsense=1")

    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == "nonsense"


@each
def test_no_right_no_answer(prefix, api_client):
    client = api_client(scopes=["nothing:read"])

    response = client.get(url(prefix))

    assert response.status_code == 403
    assert response.json()["code"] == "permission_denied"


@each
def test_pages_in_both_directions_show_each_row_once(prefix, api_client):
    client = api_client()
    rows_of(prefix, client.key, 5)
    whole = [row["id"] for row in listed(client, prefix)]
    forward, backward, address = [], [], f"{url(prefix)}?limit=2"
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
