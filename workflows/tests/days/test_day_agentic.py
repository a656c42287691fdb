"""A day of the agentic platform: agents, chat, documents, MCP, usage and quotas."""

from agents.testing import FakeOpenAI, call_tool, say
from workflows.tests.days.driver import create_agent, upload
from workflows.tests.days.mcp_server import run_mcp_server

TIDES = "# Tides\n\nHigh water comes at noon in Emden. Low water is later."
ADD = '[{"name": "add", "description": "Add two numbers.", "inputSchema": {"type": "object"}}]'


def test_day_of_agentic(day):
    staff = day.create_staff_client()
    day.add_in_console(staff, "tenants.Region", code="eu-1", name="Europe", country_code="DE")
    limits = {"max_agents": "2", "max_daily_requests": "1000", "max_monthly_tokens": "100000"}
    day.add_in_console(staff, "tenants.SubscriptionPlan", name="Pro", slug="pro", plan_type="pro", **limits)
    platform = day.create_platform_client("tenants:read", "tenants:write")
    ann = day.create_tenant(platform, "agentic", plan="pro", region="eu-1")
    (place,) = ann.list("tenant-regions/")
    assert (place["role"], ann.list("regions/")[0]["id"]) == ("primary", place["region"])

    read_documents(day, ann)
    with run_mcp_server() as url:
        command = {"server_type": "http", "command": url, "is_public": "on", "tool_definitions": ADD}
        day.add_in_console(staff, "agents.McpServer", name="Sums", slug="sums", **command)
        ann.post("mcp-server-configs/", mcp_server="sums", resource_limits={"timeout": 20})
        chat(ann)
    use_openai_api(ann)
    use_mcp(ann)
    read_usage(day, ann)
    reach_limits(day, ann, staff)
    read_logs(ann)


def read_documents(day, ann):
    ann.post("collections/", name="Sea", slug="sea", chunk_size=256)
    document = upload(ann, "sea", "tides.md", TIDES)
    day.run_jobs()
    assert ann.get(f"documents/{document['id']}/")["status"] == "indexed"
    (chunk,) = ann.list(f"chunks/?document={document['id']}")
    found = ann.post("search/", query="When is high water?", collections=["sea"])
    assert found["results"][0]["chunk"] == chunk["id"]
    ann.patch(f"rag-queries/{found['query']}/", user_feedback="helpful")
    (query,) = ann.list("rag-queries/")
    assert (query["user_feedback"], query["query_text"]) == ("helpful", "When is high water?")
    (collection,) = ann.list("collections/")
    assert (collection["document_count"], collection["chunk_count"]) == (1, 1)


def chat(ann):
    replies = [
        call_tool("sums__add", a=40, b=2),
        call_tool("calculator", expression="6 * 7"),
        say("It is 42."),
    ]
    with FakeOpenAI(*replies) as server:
        tools = {"tools": ["calculator", "mcp:sums"], "collections": ["sea"], "timeout": 60}
        create_agent(ann, server, **tools)
        made = ann.post("conversations/", agent="guide", message="What is 40 + 2?", title="Sums")
    assert made["answer"]["content"] == "It is 42."
    here = f"conversations/{made['id']}/"
    assert [each["role"] for each in ann.list(f"{here}messages/?ordering=created_at")] == [
        "user",
        "assistant",
    ]
    calls = {each["tool_name"]: each["tool_output"] for each in ann.list(f"{here}tool-executions/")}
    assert calls == {"calculator": 42, "sums__add": {"result": 42}}
    (call,) = ann.list(f"{here}mcp-tool-executions/")
    assert (call["tool_name"], call["status"], call["result"]) == ("add", "completed", {"result": 42})


def use_openai_api(ann):
    body = {"model": "guide", "messages": [{"role": "user", "content": "When is low water?"}]}
    with FakeOpenAI(say("Later.")) as server:
        account = ann.list("integrations/")[0]["id"]
        ann.patch(f"integrations/{account}/", base_url=server.base_url)
        answer = ann.post("/v1/chat/completions", **body)
    assert answer["choices"][0]["message"]["content"] == "Later."
    assert [each["id"] for each in ann.get("/v1/models")["data"]] >= ["guide"]


def use_mcp(ann):
    call = {"name": "search_collection", "arguments": {"collection": "sea", "query": "low water"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    accept = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
    answer = ann.send("post", "/mcp", body, **accept)
    assert "tides.md" in str(answer)


def read_usage(day, ann):
    day.run_periodic("tenants.tasks.roll_up_usage")
    metrics = {row["metric_type"]: row["metric_value"] for row in ann.list("usage-metrics/?interval=day")}
    assert metrics["agent_executions"] == 2
    assert (metrics["documents"], metrics["rag_queries"]) == (1, 2)
    tokens = sum(row["prompt_tokens"] + row["completion_tokens"] for row in ann.list("llm-usage/"))
    assert metrics["tokens"] == tokens


def reach_limits(day, ann, staff):
    quota = {"resource": "agents", "period": "total", "limit_value": "1", "is_hard": "on"}
    day.add_in_console(staff, "tenants.TenantQuota", organisation=day.tenant_id, **quota)
    problem = ann.refuse("post", "agents/", 403, name="Two", slug="two")
    assert (problem["code"], problem["limit"], problem["used"]) == ("limit_exceeded", 1, 1)
    assert ann.list("tenant-quotas/")[0]["resource"] == "agents"
    assert ann.list("subscription-plans/")[0]["slug"] == "pro"


def read_logs(ann):
    actions = {entry["action"] for entry in ann.list("audit-logs/?limit=200")}
    assert actions >= {"agent.created", "collection.created", "document.created"}
    assert ann.list("api-keys/")[0]["last_used_at"]
    assert ann.get("tenant/")["plan_type"] == "pro"
