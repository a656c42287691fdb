"""A day of the orchestration platform: integrations, terms, templates, marketplace and patterns."""

from agents.testing import FakeOpenAI, say
from workflows.tests.days.driver import create_agent


def test_day_of_orchestration(day):
    platform = day.create_platform_client("tenants:read", "tenants:write")
    maker = day.create_tenant(platform, "maker")
    ann = day.create_tenant(platform, "orchestration")
    ben = day.invite(ann, "ben@orchestration.example.org", "analyst")

    template = publish_template(maker)
    purchase = buy_template(day, ann, template)
    with FakeOpenAI(say("Row-level security."), say("Yes."), say("Agreed.")) as server:
        create_agent(ann, server)
        teach_term(day, ben, server)
        work_together(day, ann, template, server)
    automate(day, ann)
    sell(maker, purchase)
    learn(ann)


def publish_template(maker):
    body = {"name": "Lawyer", "system_prompt": "You read contracts.", "description": "Reads contracts."}
    template = maker.post("agent-templates/", **body)["id"]
    maker.post(f"agent-templates/{template}/publish/", price="10.00")
    return template


def buy_template(day, ann, template):
    ann.refuse("post", f"agent-templates/{template}/create-agent/", 409, name="Lawyer", slug="lawyer")
    purchase = ann.post(f"agent-templates/{template}/buy/")["purchase"]["id"]
    day.act_in_console(day.create_staff_client(), "agents.TemplatePurchase", "confirm", purchase)
    ann.post("template-ratings/", template_id=template, rating=5, review="Careful.")
    (shown,) = [row for row in ann.list("agent-templates/") if row["id"] == template]
    assert (float(shown["rating"]), shown["system_prompt"]) == (5, "You read contracts.")
    return purchase


def teach_term(day, ben, server):
    body = {"term": "RLS", "definition": "Row-level security.", "context": "technical"}
    term = ben.post("terms/", **body, usage_examples=["RLS is on."], tags=["database"])["id"]
    asked = ben.post("conversations/", agent="guide", message="What is RLS?")
    assert "Row-level security." in str(server.requests[0].body["messages"])
    assert ben.post("terms/similar/", text="row security")["results"][0]["term"]["id"] == term
    day.run_periodic("conversations.tasks.embed_new_messages", "knowledge.tasks.learn_terms")
    found = ben.get("conversations/search/?q=security")["results"]
    assert {each["conversation"] for each in found} == {asked["id"]}
    assert ben.list("terms/")[0]["last_used_at"]


def work_together(day, ann, template, server):
    account = ann.list("integrations/")[0]["id"]
    agent = {"name": "Lawyer", "slug": "lawyer", "model_provider": "openai-compatible", "model_name": "m"}
    ann.post(f"agent-templates/{template}/create-agent/", **agent, integration=account)
    body = {"mode": "collaborative", "agents": ["guide", "lawyer"], "message": "Is it secure?"}
    made = ann.post("conversations/", **body)
    (talk,) = ann.list("conversations/?mode=collaborative")
    assert (talk["id"], talk["message_count"]) == (made["id"], 3)
    roles = [row["role"] for row in ann.list(f"conversations/{made['id']}/participants/")]
    assert sorted(roles) == ["agent", "agent", "owner"]
    ann.post(f"integrations/{account}/check/")
    day.run_jobs()
    assert ann.get(f"integrations/{account}/")["status"] == "connected"
    assert ann.list("agent-templates/?name=Lawyer")[0]["usage_count"] == 1


def automate(day, ann):
    """Run a workflow for each answer of the day."""
    steps = [{"name": "Note", "type": "transform", "config": {"value": "${ trigger.event.data.message_id }"}}]
    (guide,) = ann.list("agents/?slug=guide")
    fields = {"definition": {"steps": steps, "output": {"answer": "${ steps.note.output }"}}}
    workflow = ann.post("workflows/", name="Notes", slug="notes", agents=[guide["id"]], **fields)["id"]
    ann.refuse("post", f"workflows/{workflow}/run/", 409, input={})
    ann.post(f"workflows/{workflow}/publish/")
    trigger = {"trigger_type": "event", "config": {"event": "answer.completed"}}
    ann.post("workflow-triggers/", workflow=workflow, name="Answers", **trigger)
    assert ann.list("workflow-triggers/")[0]["last_fired_at"] is None
    day.relay_events()
    runs = ann.list(f"workflow-executions/?workflow={workflow}")
    assert {run["status"] for run in runs} == {"completed"}
    assert len({run["output_data"]["answer"] for run in runs}) == len(runs) == 3
    assert [row["step_id"] for row in ann.list("step-executions/")] == ["note"] * 3
    shown = ann.get(f"workflows/{workflow}/")
    assert (shown["run_count"], shown["success_count"], shown["last_run_status"]) == (3, 3, "success")
    assert ann.list("workflow-triggers/")[0]["last_fired_at"]


def sell(maker, purchase):
    (sale,) = maker.list("template-purchases/")
    assert (sale["id"], sale["payment_status"]) == (purchase, "completed")
    assert (sale["platform_fee"], sale["seller_payout"]) == ("3.00", "7.00")
    assert maker.get("template-purchases/balance/")["payout"] == "7.00"


def learn(ann):
    for _ in range(2):
        body = {"pattern_type": "ai_preference", "data": {"model": "m", "topic": "law"}}
        pattern = ann.post("learning-patterns/observe/", **body)
    assert pattern["occurrences"] == 2
    found = {row["id"] for row in ann.list("learning-patterns/?pattern_type=ai_preference")}
    # The answers of the day have taught the others.
    assert found > {pattern["id"]}
    assert ann.list("audit-logs/?action=template.bought")
    assert ann.list("api-keys/")[0]["rate_limit"] == 6_000
