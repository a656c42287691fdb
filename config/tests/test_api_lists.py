"""Lists and names: several ordering columns, search, counts and slugs."""

import itertools
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.api.serializers import AgentSerializer
from agents.tests.factories import AgentFactory
from config.api.filters import search_fields
from config.tenancy.scope import tenant_scope
from config.tests.resources import VIEWSETS
from conversations.tests.factories import ParticipantFactory
from knowledge.tests.factories import CollectionFactory
from workflows.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db
AGENTS, TASKS, JSON = "/api/v1/agents/", "/api/v1/tasks/", "application/json"


@pytest.fixture
def client(api_client):
    return api_client()


@pytest.fixture
def make(client):
    """Return a function that creates a row in the client's tenant."""

    def create(factory, **fields):
        with tenant_scope(client.key.tenant_id, user=client.key.user):
            return factory(**fields)

    return create


def walk(client, address, link="next"):
    """Return the rows of all pages, and the last page."""
    rows = []
    while address:
        page = client.get(address).json()
        rows += page["results"] if link == "next" else page["results"][::-1]
        last, address = page, page[link]
    return rows, last


@pytest.mark.parametrize("signs", itertools.product(("", "-"), repeat=2))
def test_pages_follow_several_columns_in_both_directions(signs, client, make):
    for number in range(9):
        make(AgentFactory, name=f"n{number % 3}", slug=f"s{number}", version=1 + number // 5)
    ordering = f"{signs[0]}name,{signs[1]}created_at"

    forward, last = walk(client, f"{AGENTS}?ordering={ordering}&limit=2")
    backward, _ = walk(client, last["previous"], "previous")

    expected = sorted(forward, key=lambda row: row["slug"], reverse=signs[1] == "-")
    expected.sort(key=lambda row: row["name"], reverse=signs[0] == "-")
    assert [row["slug"] for row in forward] == [row["slug"] for row in expected]
    assert [row["id"] for row in backward[::-1] + last["results"]] == [row["id"] for row in forward]


@pytest.mark.parametrize("ordering", ["name,", ",name", "name,nothing", "name,slug,id,created_at,-name"])
def test_invalid_orderings_are_refused(ordering, client):
    response = client.get(f"{AGENTS}?ordering={ordering}")

    assert (response.status_code, response.json()["code"]) == (400, "invalid_ordering")


def test_repeated_columns_count_once(client, make):
    make(AgentFactory.create_batch, size=2)

    response = client.get(f"{AGENTS}?ordering=name,-name,id,-created_at&limit=1")

    assert response.status_code == 200
    assert client.get(response.json()["next"]).status_code == 200


def test_search_finds_rows_with_each_word(client, make):
    make(TaskFactory, title="Order paper", description="For the 100% printer")
    make(TaskFactory, title="Order ink", description="")

    found = {
        query: {row["title"] for row in client.get(f"{TASKS}?q={query}").json()["results"]}
        for query in ("order", "PRINTER+order", "100%25", "paper+ink", "")
    }

    both = {"Order paper", "Order ink"}
    first = {"Order paper"}
    assert list(found.values()) == [both, first, first, set(), both]


def test_search_has_limits(client):
    assert client.get(f"{TASKS}?q={'+'.join('abcdefghi')}").status_code == 400
    assert client.get(f"{TASKS}?q=%00").status_code == 400
    assert client.get("/api/v1/llm-usage/?q=x").json()["errors"][0]["parameter"] == "q"


def test_members_are_searched_and_expanded_by_their_names(client):
    user = client.key.user
    address = f"/api/v1/members/?expand=user&q={user.email}"

    (row,) = client.get(address).json()["results"]

    assert row["expanded"]["user"]["first_name"] == user.first_name
    assert client.get("/api/v1/members/?q=nobody@nowhere").json()["results"] == []


def test_participants_show_their_names(client, make):
    seat = make(ParticipantFactory, user=client.key.user, agent=None)
    address = f"/api/v1/conversations/{seat.conversation_id}/participants/?expand=user"

    rows = client.get(address).json()["results"]

    assert client.key.user.email in {row["expanded"]["user"]["email"] for row in rows if row["user"]}


@pytest.mark.parametrize("prefix", sorted(VIEWSETS))
def test_search_fields_are_visible_columns(prefix):
    view = VIEWSETS[prefix]()
    shown = set(view.serializer_class.Meta.fields)

    assert {name.partition("__")[0] for name in search_fields(view)} <= shown
    # The columns are found once, not for each request.
    assert search_fields(view) is search_fields(VIEWSETS[prefix]())


def test_count_is_exact_and_independent_of_other_tenants(client, make, other_tenant):
    make(AgentFactory.create_batch, size=7)
    with tenant_scope(other_tenant, actor="system:test"):
        AgentFactory.create_batch(20)

    assert "count_estimate" not in client.get(AGENTS).json()
    assert client.get(f"{AGENTS}?count=exact").json()["code"] == "invalid_count"
    for query in ("", "&limit=2", "&limit=7", "&limit=1&ordering=name"):
        assert client.get(f"{AGENTS}?count=estimate{query}").json()["count_estimate"] == 7
    assert client.get(f"{AGENTS}?count=estimate&slug=nobody").json()["count_estimate"] == 0


def test_count_ends_at_the_maximum(client, make, monkeypatch):
    monkeypatch.setattr("config.api.pagination.MAX_COUNT", 3)
    make(AgentFactory.create_batch, size=5)

    assert client.get(f"{AGENTS}?count=estimate&limit=1").json()["count_estimate"] == 3


def test_slugs_name_rows_in_urls(client, make, other_tenant):
    agent = make(AgentFactory, slug="ada")
    with tenant_scope(other_tenant, actor="system:test"):
        AgentFactory(slug="foreign")

    assert client.get(f"{AGENTS}ada/").content == client.get(f"{AGENTS}{agent.pk}/").content
    assert client.patch(f"{AGENTS}ada/", {"name": "Ada"}, content_type=JSON).json()["name"] == "Ada"
    assert client.post(f"{AGENTS}ada/publish/", {}, content_type=JSON).status_code == 201
    for slug in ("foreign", "nobody", "no.slug"):
        assert client.get(f"{AGENTS}{slug}/").status_code == 404
    assert client.delete(f"{AGENTS}ada/").status_code == 204
    assert client.get(f"{AGENTS}ada/").status_code == 404


def test_slug_that_looks_like_an_id_is_an_id(client, make):
    other = make(AgentFactory)
    make(AgentFactory, slug=str(other.pk))

    assert client.get(f"{AGENTS}{other.pk}/").json()["slug"] == other.slug
    assert client.get(f"{AGENTS}{uuid.uuid4()}/").status_code == 404


def test_slugs_name_rows_in_bodies(client, make, other_tenant):
    collection = make(CollectionFactory, slug="manuals")
    with tenant_scope(other_tenant, actor="system:test"):
        CollectionFactory(slug="foreign")

    made = client.post(AGENTS, {"name": "n", "slug": "s", "collections": ["manuals"]}, content_type=JSON)
    fallback = {"agent": "s", "position": 1, "model_provider": "openai", "model_name": "m"}
    stored = client.post("/api/v1/agent-fallbacks/", fallback, content_type=JSON)
    refused = client.patch(f"{AGENTS}s/", {"collections": ["manuals", "foreign"]}, content_type=JSON)

    assert made.json()["collections"] == [str(collection.pk)]
    assert stored.json()["agent"] == made.json()["id"], stored.content
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/collections/1")


@pytest.mark.parametrize("as_slugs", [False, True])
def test_lists_of_names_take_one_query(as_slugs, client, make):
    collections = make(CollectionFactory.create_batch, size=3)
    names = [each.slug if as_slugs else str(each.pk) for each in collections]
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        for count in (1, 3):
            serializer = AgentSerializer(data={"name": "n", "slug": "s", "collections": names[:count]})
            with CaptureQueriesContext(connection) as captured:
                assert serializer.is_valid(), serializer.errors
            assert serializer.validated_data["collections"] == [each.pk for each in collections[:count]]
            assert len(captured) == 1


def test_errors_of_lists_name_each_entry(client, make):
    names = ["nobody", make(CollectionFactory).slug, 1, None, str(uuid.uuid4())]

    response = client.post(AGENTS, {"name": "n", "slug": "s", "collections": names}, content_type=JSON)

    assert [(each["pointer"], each["code"]) for each in response.json()["errors"]] == [
        ("/collections/0", "does_not_exist"),
        ("/collections/2", "invalid"),
        ("/collections/3", "null"),
        ("/collections/4", "does_not_exist"),
    ]


def test_long_lists_of_names_are_refused_without_a_query(client):
    body = {"name": "n", "slug": "s", "collections": [f"s{number}" for number in range(70_000)]}

    response = client.post(AGENTS, body, content_type=JSON)

    assert [(each["pointer"], each["code"]) for each in response.json()["errors"]] == [
        ("/collections", "max_length")
    ]


def test_slugs_name_collections_in_paths(client, make):
    make(CollectionFactory, slug="manuals")

    page = {"url": "https://example.com/"}
    added = client.post("/api/v1/collections/manuals/documents/", page, content_type=JSON)
    missing = client.post("/api/v1/collections/nothing/documents/", page, content_type=JSON)

    assert (added.status_code, missing.status_code) == (201, 404)
