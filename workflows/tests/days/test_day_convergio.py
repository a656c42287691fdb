"""A day of Convergio: agents, costs, talents, activities and the audit log."""

from django.core import mail
from django.utils import timezone

from agents.testing import FakeOpenAI, say
from workflows.tests.days.driver import create_agent

ANSWER = "High water is at noon."


def test_day_of_convergio(day):
    ann = day.create_tenant(day.create_platform_client("tenants:read", "tenants:write"), "convergio")
    ben = day.invite(ann, "ben@convergio.example.org", "analyst")

    role = ann.post("roles/", name="Planner", slug="planner", permissions=["activities:write"])
    ann.post("role-assignments/", user=ben.id, role=role["id"])
    ann.post("model-prices/", provider="openai-compatible", model="m", input_price="1", output_price="2")

    with FakeOpenAI(say(ANSWER)) as server:
        agent = create_agent(ann, server, capabilities=["tides"])["id"]
        asked = ben.post("conversations/", agent="guide", message="When is high water?")
    assert asked["answer"]["content"] == ANSWER
    (log,) = ben.list(f"agent-runs/?agent_id={agent}")
    assert (log["user_id"], log["response"], log["tokens_used"]) == (
        ben.id,
        ANSWER,
        asked["answer"]["token_count"],
    )
    day.run_periodic("tenants.tasks.roll_up_usage")
    (cost,) = ann.list("cost-records/")
    assert (cost["user_id"], cost["service"], cost["currency"]) == (ben.id, "openai-compatible", "USD")
    assert float(cost["amount"]) == float(asked["answer"]["cost"]) > 0
    assert cost["date"] == f"{timezone.now():%Y-%m-%d}"

    plan_activity(day, ann, ben)
    note = ann.post("embeddings/remember/", content="The harbour freezes in January.")
    found = ben.post("embeddings/similar/", text="When does the harbour freeze?")["results"]
    assert found[0]["text"]["id"] == note["id"]
    read_audit_log(ann, ben, agent)


def plan_activity(day, ann, ben):
    ben.patch("me/profile/", display_name="Benjamin")
    ann.post("talents/", user=ben.id, skills=["python", "tides"], experience_years=9, rate="95.50")
    (talent,) = ann.list("talents/?skills=tides&availability=available")
    kind = ann.post("activity-types/", name="Survey")["id"]
    status = ann.post("activity-statuses/", name="Planned")["id"]
    activity = ben.post("activities/", name="Harbour", activity_type=kind, status=status)["id"]
    ben.post("activity-assignments/", activity=activity, user=talent["user"], role="lead")
    (shown,) = ann.list("activities/?status=" + status)
    assert (shown["id"], shown["activity_type"]) == (activity, kind)
    day.relay_events()
    assert mail.outbox[-1].subject == "You were assigned to an activity (Convergio)"
    assert mail.outbox[-1].body.startswith("Hello Benjamin,")
    (assigned,) = ann.list(f"activity-assignments/?user={ben.id}")
    assert (assigned["activity"], assigned["role"]) == (activity, "lead")
    ann.refuse("delete", f"activity-types/{kind}/", 409)


def read_audit_log(ann, ben, agent):
    (entry,) = ann.list(f"audit-logs/?resource_id={agent}&action=agent.created")
    assert (entry["user_id"], entry["ip_address"]) == (ann.id, "127.0.0.1")
    ben.refuse("get", "audit-logs/", 403)
    (refusal,) = ann.list(f"security-logs/?actor_user_id={ben.id}&event_type=access.denied")
    assert (refusal["event_category"], refusal["result"]) == ("access", "failure")
