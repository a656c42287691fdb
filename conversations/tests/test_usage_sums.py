"""Sums of usage equal the events, whether or not these are in the metrics."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from agents.models import LlmUsage
from agents.tests.factories import LlmUsageFactory
from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from tenants.models import MeterEvent
from tenants.services import metering
from tenants.tests.factories import MeterEventFactory

URL = "/api/v1/usage/"
START = datetime(2026, 10, 28, tzinfo=UTC)
AGENTS, USERS = [uuid7(), uuid7(), None], [uuid7() for _ in range(3)]


def roll_up(batch=metering.BATCH):
    with as_platform():
        metering._roll_up_batch(batch)


def make_events(tenant, count=300, seed=7):
    rng = random.Random(seed)
    return [
        MeterEvent(
            tenant_id=tenant.pk,
            metric_type=rng.choice(["tokens", "api_calls", "rag_queries", "storage_bytes"]),
            quantity=rng.randrange(1_000),
            events=1,
            completion_tokens=rng.randrange(100),
            cost=Decimal(rng.randrange(10**6)).scaleb(-6),
            occurred_at=START + timedelta(seconds=rng.randrange(6 * 86_400)),
            agent_id=rng.choice(AGENTS),
            user_id=rng.choice(USERS),
            model=rng.choice(["small", "large"]),
            service=rng.choice(["openai", "local"]),
        )
        for _ in range(count)
    ]


def expect(events, key, start, end):
    """Return the sums of tokens, requests and costs and the number of users, by key."""
    found = defaultdict(lambda: [0, 0, Decimal(0), set()])
    for event in events:
        if start <= event.occurred_at < end:
            sums = found[key(event)]
            sums[0] += event.quantity * (event.metric_type == "tokens")
            sums[1] += event.quantity * (event.metric_type == "api_calls")
            sums[2] += event.cost
            sums[3].add(event.user_id)
    return {name: (tokens, calls, cost, len(users)) for name, (tokens, calls, cost, users) in found.items()}


def read(client, key, **parameters):
    url, found, parameters = URL, {}, {"include": "active_users", **parameters}
    while url:
        page = client.get(url, parameters)
        assert page.status_code == 200, page.content
        for row in page.json()["results"]:
            sums = (row["tokens"], row["api_calls"], Decimal(row["cost"]), row["active_users"])
            assert found.setdefault(key(row), sums) is sums
        url, parameters = page.json()["next"], {}
    return found


def truncate(moment, interval):
    parts = {"hour": {}, "day": {"hour": 0}, "month": {"hour": 0, "day": 1}}[interval]
    return moment.replace(minute=0, second=0, microsecond=0, **parts)


@pytest.fixture
def events(tenant, api_client):
    """Random events, of which some are in the metrics, some are late, and some are open."""
    made = make_events(tenant)
    with tenant_scope(tenant, actor="system:test"):
        MeterEvent.objects.bulk_create(made[:200])
        roll_up(90)
        roll_up(60)
        MeterEvent.objects.bulk_create(made[200:])
    return made


@pytest.mark.parametrize("interval", ["hour", "day", "month"])
def test_sums_by_agent_and_model_equal_the_events(events, api_client, interval):
    start, end = START + timedelta(hours=5), START + timedelta(days=5, hours=7)

    def key_of(event):
        return truncate(event.occurred_at, interval), event.agent_id and str(event.agent_id), event.model

    def key(row):
        return datetime.fromisoformat(row["period_start"]), row["agent"], row["model"]

    asked = {"group_by": "agent,model", "interval": interval, "limit": 40}
    found = read(api_client(), key, **asked, **{"from": start.isoformat(), "to": end.isoformat()})
    assert found == expect(events, key_of, start, end)


def test_full_months_equal_the_events(events, api_client):
    start, end = datetime(2026, 9, 30, tzinfo=UTC), datetime(2026, 11, 1, 5, tzinfo=UTC)
    found = read(
        api_client(),
        lambda row: row["user"],
        group_by="user",
        **{"from": "2026-09-30", "to": end.isoformat()},
    )
    assert found == expect(events, lambda event: str(event.user_id), start, end)


def test_total_and_filters_equal_the_events(events, api_client):
    client, end = api_client(), START + timedelta(days=6)
    span = {"from": "2026-10-28", "to": "2026-11-02"}
    assert read(client, lambda row: "all", **span) == expect(events, lambda event: "all", START, end)
    chosen = [event for event in events if event.agent_id == AGENTS[0] and event.service == "local"]
    found = read(client, lambda row: row["user"], group_by="user", agent=AGENTS[0], service="local", **span)
    assert found == expect(chosen, lambda event: str(event.user_id), START, end)


def test_sums_follow_model_calls_at_once(tenant, api_client):
    client = api_client()
    for order in (1, 2):
        with tenant_scope(tenant, actor="system:test"):
            LlmUsageFactory.create_batch(3, prompt_cost=Decimal("0.000007"))
            raw = LlmUsage.objects.aggregate(tokens=Sum("total_tokens"), cost=Sum("total_cost"))
        (row,) = client.get(URL).json()["results"]
        assert (row["tokens"], row["model_calls"]) == (raw["tokens"], 3 * order)
        assert Decimal(row["cost"]) == raw["cost"]
        roll_up()
    assert client.get(URL).json()["results"][0] == row


def test_sums_are_of_one_tenant(tenant, other_tenant, api_client):
    for owner, quantity in ((tenant, 1_500), (other_tenant, 7)):
        with tenant_scope(owner, actor="system:test"):
            MeterEventFactory(occurred_at=datetime.now(UTC), quantity=quantity)
        roll_up()
        with tenant_scope(owner, actor="system:test"):
            MeterEventFactory(occurred_at=datetime.now(UTC), quantity=0)
    assert [row["tokens"] for row in api_client().get(URL).json()["results"]] == [1_500]


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"group_by": "colour"}, "group_by"),
        ({"interval": "minute"}, "interval"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-13-01"}, "from"),
        ({"from": "2026-11-01T00:30:00Z"}, "from"),
        ({"to": "0001-01-01"}, "to"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "from"),
        ({"from": "2026-01-01", "to": "2026-11-01", "interval": "hour"}, "from"),
        ({"agent": "guide"}, "agent"),
        ({"limit": "0"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_parameters_are_named(api_client, parameters, name):
    response = api_client().get(URL, parameters)
    assert response.status_code == 400
    assert name in str(response.json())


def test_usage_needs_the_permission(api_client):
    assert api_client("viewer").get(URL).status_code == 403
