"""Every shown column has a filter and every reference can be expanded, or a reason is given."""

import pytest
from django.db import models

from agents.tests.factories import AgentFactory, IntegrationFactory
from config.api.expand import expandable
from config.api.filter_factory import is_filtered
from config.api.filters import FilterSetBackend
from config.tenancy.scope import tenant_scope
from config.tests.resources import ROUTES, VIEWSETS
from workflows.tests.factories import AssetFactory, TaskFactory

AGENTS, ASSETS, TASKS = "/api/v1/agents/", "/api/v1/assets/", "/api/v1/tasks/"
# Column types without lookups.
LONG = (models.TextField, models.JSONField, models.BinaryField)
UNFILTERED = {"id", "created_at"}
PRIVATE = "a conversation is shown to its people alone, by its own address"
ASKED = "an approval is shown by its own address to those whom it asks"
DERIVED = "a vector, derived from the row itself, of no use to clients"
UNEXPANDED = {
    ("calendar-events", "semantic_embedding"): DERIVED,
    ("tasks", "semantic_embedding"): DERIVED,
    **{(f"approval-{rows}", "approval"): ASKED for rows in ("assignees", "decisions", "links")},
    ("conversations", "forked_from"): PRIVATE,
    ("session-states", "conversation"): PRIVATE,
    ("session-summaries", "conversation"): PRIVATE,
    **{
        (f"conversations/<uuid:conversation_id>/{rows}", name): PRIVATE
        for rows, names in {
            "messages": ("conversation",),
            "participants": ("conversation",),
            "tool-executions": ("conversation", "message"),
            "mcp-tool-executions": ("conversation", "message"),
            "attachments": ("conversation", "message"),
            "stream-events": ("conversation",),
        }.items()
        for name in names
    },
}


def shown(prefix):
    names = VIEWSETS[prefix].serializer_class.Meta.fields
    return [field for field in ROUTES[prefix]._meta.concrete_fields if field.name in names]


def filters(prefix):
    return FilterSetBackend().get_filterset_class(VIEWSETS[prefix]()).base_filters


@pytest.mark.parametrize("prefix", sorted(ROUTES))
def test_every_serialized_column_has_a_filter(prefix):
    known = {each.field_name for each in filters(prefix).values()}
    bare = {field.name for field in shown(prefix) if not {field.name, field.attname} & known} - UNFILTERED

    assert [field.name for field in shown(prefix) if field.name in bare and not isinstance(field, LONG)] == []
    assert [field.name for field in shown(prefix) if field.name in bare and is_filtered(field)] == []


def test_every_reference_is_expandable_or_has_a_reason():
    closed = {
        (prefix, field.name)
        for prefix in ROUTES
        for field in shown(prefix)
        if isinstance(field, models.ForeignKey)
        and field.name not in expandable(VIEWSETS[prefix].serializer_class)
    }

    assert closed == set(UNEXPANDED)


@pytest.fixture
def client(api_client):
    return api_client()


def inside(client):
    return tenant_scope(client.key.tenant_id, user=client.key.user)


def names(client, address, name="name"):
    response = client.get(address)
    assert response.status_code == 200, response.content
    return {row[name] for row in response.json()["results"]}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("cpu_cores_min=8", {"big"}),
        ("cpu_cores_max=8", {"small"}),
        ("cpu_cores=2", {"small"}),
        ("memory_gb_min=15.5&memory_gb_max=64", {"big"}),
        ("asset_name_contains=MAL", {"small"}),
        ("environment_in=production,staging", {"big"}),
        ("environment_in=production,development", {"big", "small"}),
        ("created_by_isnull=true", {"big", "small"}),
        ("created_by_isnull=false", set()),
        ("technology_stack=oracle", {"big"}),
        ("technology_stack=orac", set()),
        ("ip_address=10.0.0.1", {"big"}),
    ],
)
def test_lookups_find_what_they_say(query, found, client):
    with inside(client):
        AssetFactory(
            asset_name="big",
            cpu_cores=16,
            memory_gb=64,
            environment="production",
            technology_stack=["java", "oracle"],
            ip_address="10.0.0.1",
        )
        AssetFactory(
            asset_name="small",
            cpu_cores=2,
            memory_gb=4,
            environment="development",
            technology_stack=[],
            ip_address=None,
        )

    assert names(client, f"{ASSETS}?{query}", "asset_name") == found


@pytest.mark.parametrize(
    "query",
    [
        "cpu_cores_min=x",
        "cpu_cores_min=1.5",
        "memory_gb_min=NaN",
        "memory_gb_max=1e400",
        "environment_in=production,nowhere",
        "created_by_isnull=1",
        "ip_address=10.0.0.300",
        "raw_data_contains=x",
    ],
)
def test_values_that_fit_no_column_are_named(query, client):
    response = client.get(f"{ASSETS}?{query}")

    assert response.status_code == 400, response.content
    assert response.json()["errors"][0]["parameter"] == query.partition("=")[0]


def test_percent_signs_are_no_wildcards(client):
    with inside(client):
        TaskFactory(title="100% done")
        TaskFactory(title="100 done")

    assert names(client, f"{TASKS}?title_contains=100%25", "title") == {"100% done"}


def test_people_are_expanded_for_those_who_may_read_them(api_client):
    admin = api_client()
    with inside(admin):
        AgentFactory(created_by=admin.key.user)
    query = f"{AGENTS}?expand=created_by"

    (row,) = admin.get(query).json()["results"]
    refused = api_client("viewer").get(query)

    assert row["expanded"]["created_by"]["email"] == admin.key.user.email
    assert "password" not in row["expanded"]["created_by"]
    assert refused.status_code == 403
    assert "members:read" in refused.json()["detail"]


def test_key_expands_only_what_its_scopes_cover(api_client):
    client = api_client(scopes=["agents:read"])
    with inside(client):
        AgentFactory(integration=IntegrationFactory())

    assert client.get(f"{AGENTS}?expand=integration").status_code == 403
    assert client.get(AGENTS).status_code == 200
