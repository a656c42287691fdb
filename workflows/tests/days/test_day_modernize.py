"""A day of AI Modernize: two teams with an engagement each, their assets, tasks and costs."""

from datetime import timedelta

from django.utils import timezone

from agents.testing import FakeOpenAI, fail, say
from workflows.tests.days.driver import create_agent


def test_day_of_modernize(day, settings):
    ann = day.create_tenant(day.create_platform_client("tenants:read", "tenants:write"), "modernize")
    ann.patch("tenant/", description="Ships.", agent_preferences={"risk_tolerance": "low"})
    teams = [start_team(day, ann, name) for name in ("North", "South")]
    (north, ben), (south, eve) = teams
    own = ben.within(north)
    servers = find_assets(day, own)
    stay_apart(own, eve.within(south), servers, north, ben)
    with FakeOpenAI(say("Rehost it."), fail(400)) as model:
        create_agent(ann, model)
        asked = ann.within(north).post("conversations/", agent="guide", message="Which strategy?")
        ann.within(north).refuse("post", "conversations/", 409, agent="guide", message="And then?")
    read_agents(day, ann, north, asked)
    keep_credentials(day, ann, settings)
    day.sign_in("south@modernize.example.org")
    read_security_log(ann)


def start_team(day, ann, name):
    """Create an engagement and its analyst, whose role counts there only."""
    engagement = ann.post("engagements/", name=name, engagement_type="migration", status="active")["id"]
    person = day.invite(ann, f"{name.lower()}@modernize.example.org", "viewer")
    role = ann.post("roles/", name=name, slug=name.lower(), permissions=["assets:write"])
    ann.post("role-assignments/", user=person.id, role=role["id"], scope="engagement", engagement=engagement)
    return engagement, person


def find_assets(day, own):
    engagement = own.headers["x-engagement"]
    body = {"engagement": engagement, "asset_type": "server", "environment": "production"}
    rows = [
        own.post("assets/", asset_name=name, **body)["id"] for name in ("Billing host", "Ledger database")
    ]
    link = {"dependency_type": "runtime", "evidence": {"port": 5432}}
    own.post("asset-dependencies/", source=rows[0], target=rows[1], **link)
    own.refuse("post", "asset-dependencies/", 409, source=rows[0], target=rows[1], **link)
    day.run_jobs()
    found = own.post("assets/similar/", text="ledger database")["results"]
    assert found[0]["asset"]["id"] == rows[1]
    assert len(own.list("asset-dependencies/")) == 1
    return rows


def stay_apart(own, other, servers, north, ben):
    assert {row["id"] for row in own.list("assets/")} == set(servers)
    assert other.get("assets/")["results"] == []
    other.refuse("get", f"assets/{servers[0]}/", 404)
    ben.refuse("post", "assets/", 403, engagement=north, asset_name="Outside of the engagement")


def read_agents(day, ann, north, asked):
    tasks = ann.list("agent-tasks/")
    assert sorted(task["status"] for task in tasks) == ["completed", "failed"]
    tomorrow = timezone.now() + timedelta(days=1)
    day.run_task("workflows.tasks.compute_agent_performance", timestamp=int(tomorrow.timestamp()))
    (row,) = ann.list("agent-performance/")
    assert (row["total_tasks"], row["failed_tasks"], row["error_rate"]) == (2, 1, 0.5)
    statuses = [row["status_code"] for row in ann.list("llm-usage/?ordering=created_at")]
    assert statuses == [200, 400]
    evidence = {"field": "strategy", "value": "rehost"}
    insight = ann.within(north).post(
        "agent-learning-patterns/observe/", insight_type="risk_pattern", raw_evidence=evidence
    )
    assert ann.list("agent-learning-patterns/")[0]["id"] == insight["id"]


def keep_credentials(day, ann, settings):
    staff = day.create_staff_client()
    settings.FETCH_NETWORKS = ["127.0.0.0/8"]
    adapter = {"adapter_name": "aws", "adapter_type": "discovery", "version": "1.0"}
    with FakeOpenAI(say("Well.")) as server:
        url = f"{server.base_url}/models"
        day.add_in_console(staff, "agents.PlatformAdapter", **adapter, health_check_url=url)
        (row,) = ann.list("platform-adapters/")
        body = {"platform_adapter": row["id"], "credential_name": "aws", "credentials": {"api_key": "secret"}}
        made = ann.post("platform-credentials/", **body, expires_at="2026-01-01T00:00:00Z")
        day.run_periodic("agents.tasks.check_platforms")
    assert ann.list("platform-adapters/")[0]["last_health_check_at"]
    kept = ann.get(f"platform-credentials/{made['id']}/")
    assert (kept["status"], "secret" in str(kept)) == ("expired", False)


def read_security_log(ann):
    rows = ann.list("security-logs/?limit=200")
    assert {row["event_category"] for row in rows} >= {"auth", "access", "config"}
    event = rows[0]["id"]
    ann.post(f"security-logs/{event}/review/")
    assert ann.get(f"security-logs/{event}/")["reviewed_by"] == ann.id
