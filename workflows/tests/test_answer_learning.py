"""Learning from answers: counts, feedback, what agents get, and what stays private."""

import json
import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from agents.testing import FakeOpenAI, call_tool, fail, say
from agents.tests.factories import (
    AgentFactory,
    IntegrationFactory,
    McpServerConfigFactory,
    McpServerUserFactory,
)
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from conversations.completions import results
from conversations.models import Message
from conversations.runtime import agent_runs, turn_results
from conversations.runtime.loop import run_turn
from conversations.runtime.recovery import resume_answer
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import begin_turn, start_conversation
from conversations.services.feedback import give_feedback
from conversations.tests.factories import ParticipantFactory
from conversations.tests.workers import expire_lease
from knowledge.models import LearningPattern
from knowledge.services.learning import expire_patterns
from knowledge.tests.factories import TermFactory
from tenants.tests.factories import EngagementFactory, TenantFactory
from workflows.models import AgentLearningPattern
from workflows.services import answer_learning
from workflows.tests.factories import AgentLearningPatternFactory

JSON = "application/json"
SECRET = "Tell me about the merger with Kojenwerft."
SUM, NO_SUM = call_tool("calculator", expression="6 * 7"), call_tool("calculator", expression="9**9**9")


def caller_of(membership):
    return Caller(membership.tenant_id, membership.user_id, f"user:{membership.user_id}")


@pytest.fixture
def caller(member):
    return caller_of(member)


@pytest.fixture
def agent(caller):
    with caller.scope():
        fields = {"model_provider": "openai-compatible", "model_name": "m", "tools": ["calculator"]}
        return AgentFactory(
            slug="guide", integration=IntegrationFactory(base_url="http://127.0.0.1"), **fields
        )


@pytest.fixture
def ask(caller, agent):
    """Return a function that asks the agent and returns the answer and the instructions of the model."""

    def ask_agent(*replies, question="What is it?", who=caller, shared_with=None, run=run_turn):
        with FakeOpenAI(*(replies or [say("Done.")])) as server:
            with who.scope():
                agent.integration.base_url = server.base_url
                agent.integration.save()
                row = start_conversation(agent, user_id=who.user_id)
                if shared_with:
                    ParticipantFactory(conversation=row, user=shared_with, agent=None)
                turn = load_turn(begin_turn(row.pk, content=question, user_id=who.user_id), who)
            answer = run(turn)
        sent = [each for request in server.requests[:1] for each in request.body["messages"]]
        return answer, "\n".join(each["content"] for each in sent if each["role"] == "system")

    return ask_agent


def counts(caller, model=LearningPattern):
    with caller.scope():
        rows = model.objects.exclude(key="").order_by("key")
        columns = rows.values_list("key", "occurrences", "applied_count", "failure_count")
        return {key.rpartition("guide")[2]: tuple(numbers) for key, *numbers in columns}


def lines(instructions):
    return [json.loads(line) for line in instructions.splitlines() if line.startswith('{"about"')]


def keys(agent):
    return f"agent:{agent.pk}:model:m", f"agent:{agent.pk}:tool:calculator"


def test_use_of_terms_models_and_tools_is_counted(ask, caller, agent):
    with caller.scope():
        TermFactory(term="Koje")
    ask(SUM, say("42."), question="How wide is a koje?")
    ask(NO_SUM, SUM, say("42."))
    ask(fail(400))
    model, tool = keys(agent)
    used = {model: (3, 1, 1), "term:koje": (1, 0, 0), "tool:calculator": (3, 3, 1)}
    assert counts(caller) == used
    assert counts(caller, AgentLearningPattern) == {model: (3, 1, 1), tool: (3, 3, 1)}
    with caller.scope():
        calculator = LearningPattern.objects.get(key="tool:calculator")
        insight = AgentLearningPattern.objects.get(key=tool)
    assert (calculator.pattern_type, calculator.data) == ("tool_usage", {"tool": "calculator"})
    assert (calculator.success_rate, calculator.confidence) == (Decimal("0.6667"), Decimal("0.2077"))
    assert (insight.raw_evidence, insight.discovered_by) == (
        {"agent": "guide", "tool": "calculator"},
        "guide",
    )
    assert [insight.success_rate, insight.confidence_score] == pytest.approx([2 / 3, 0.2077], abs=1e-4)


def test_equal_terms_are_counted_once(ask, caller, agent):
    with caller.scope():
        TermFactory(term="Koje")
        TermFactory(term="koje")
    answer, _ = ask(question="How wide is a koje?")
    assert answer.status == "completed"
    assert counts(caller)["term:koje"] == (1, 0, 0)


def test_answer_is_counted_once_if_its_process_dies_before_the_commit(ask, caller, agent, monkeypatch):
    def die(*args, **kwargs):
        agent_runs.send_answer_stored(*args, **kwargs)
        raise SystemExit

    def run_twice(turn):
        with monkeypatch.context() as patch:
            patch.setattr(turn_results, "send_answer_stored", die)
            with pytest.raises(SystemExit):
                run_turn(turn)
        assert counts(caller) == {}
        with caller.scope():
            expire_lease(turn.lease)
        answer = resume_answer(caller.tenant_id, turn.answer_id)
        assert resume_answer(caller.tenant_id, turn.answer_id) is None
        return answer

    answer, _ = ask(SUM, say("42."), say("42."), run=run_twice)
    assert answer.status == "completed"
    assert counts(caller) == {keys(agent)[0]: (1, 0, 0), "tool:calculator": (1, 1, 0)}


def test_patterns_are_locked_after_other_rows(ask, api_client, tenant, monkeypatch):
    order = []

    def record(module, name):
        function = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args: (order.append(name), function(*args))[1])

    record(turn_results, "publish")
    record(results, "record_answer")
    record(answer_learning, "_count")
    ask()
    with tenant_scope(tenant, actor="system:test"):
        AgentFactory(slug="offline")
    body = {"model": "offline", "messages": [{"role": "user", "content": "When?"}]}
    assert api_client().post("/v1/chat/completions", body, content_type=JSON).status_code == 200
    assert order == ["publish", "_count", "record_answer", "_count"]


def test_expiry_changes_once_a_day(ask, caller):
    def change_by(**hours):
        with caller.scope():
            AgentLearningPattern.objects.update(expires_at=F("expires_at") - timedelta(**hours))
            before = AgentLearningPattern.objects.get().expires_at
        ask()
        with caller.scope():
            return AgentLearningPattern.objects.get().expires_at - before

    ask()
    assert change_by(hours=23) == timedelta()
    assert change_by(hours=2) >= timedelta(hours=25)


def test_parallel_answers_are_all_counted(transactional_db):
    member = add_member(TenantFactory())
    caller = caller_of(member)
    with caller.scope():
        agent = AgentFactory()
    used = [
        *answer_learning._observe_tool(agent, "calculator", uses=1, applied=1),
        *answer_learning._observe_model(agent, "m", uses=1),
    ]

    def answer(turns):
        for number in range(turns):
            with caller.scope():
                answer_learning._count(agent, member.user_id, used[:: 1 if number % 2 else -1])
        connection.close()

    threads = [threading.Thread(target=answer, args=[6]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    model, tool = keys(agent)
    assert counts(caller) == {model: (48, 0, 0), "tool:calculator": (48, 48, 0)}
    assert counts(caller, AgentLearningPattern) == {model: (48, 0, 0), tool: (48, 48, 0)}


def rate(caller, answer, feedback):
    with caller.scope():
        give_feedback(Message.objects.get(pk=answer.pk), feedback)


def switch_learning(tenant, enabled):
    with tenant_scope(tenant, actor="system:test"):
        tenant.settings = {"learning": {"enabled": enabled}}
        tenant.save(update_fields=["settings"])


def test_organisation_switches_learning_off(ask, caller, tenant):
    for _ in range(2):
        ask(SUM, say("42."))
    assert lines(ask()[1])
    before = counts(caller), counts(caller, AgentLearningPattern)
    switch_learning(tenant, False)
    answer, instructions = ask(SUM, say("42."))
    rate(caller, answer, "helpful")
    assert lines(instructions) == []
    assert (counts(caller), counts(caller, AgentLearningPattern)) == before
    switch_learning(tenant, True)
    rate(caller, answer, "")
    assert (counts(caller), counts(caller, AgentLearningPattern)) == before


def test_patterns_reach_the_model(ask, caller, agent):
    with caller.scope():
        TermFactory(term="Koje")
    for _ in range(2):
        ask(SUM, say("42."), question="How wide is the Koje?")
    known = {"uses": 2, "confidence": 0.34}
    expected = [
        {"about": "person", "agent": "guide", "model": "m", **known},
        {"about": "person", "term": "Koje", **known},
        {"about": "person", "tool": "calculator", **known},
        {"about": "agent", "agent": "guide", "model": "m", **known},
        {"about": "agent", "agent": "guide", "tool": "calculator", **known},
    ]
    assert lines(ask()[1]) == expected
    with caller.scope():
        agent.tools = []
        agent.save()
    assert [line for line in lines(ask()[1]) if "tool" in line] == []


def test_failures_reach_the_model_too(ask):
    for _ in range(2):
        ask(NO_SUM, say("Too large."))
    (line,) = (each for each in lines(ask()[1]) if each["about"] == "agent" and "tool" in each)
    assert (line["uses"], line["failures"]) == (2, 2)


def test_number_of_patterns_is_limited(ask, caller):
    with caller.scope():
        for number in range(8):
            TermFactory(term=f"Word{number}")
    for _ in range(2):
        ask(question=" ".join(f"Word{number}" for number in range(8)))
    assert len([line for line in lines(ask()[1]) if "term" in line]) == 5


def test_confidence_decays(ask, caller, settings):
    for _ in range(2):
        ask()
    with caller.scope():
        for model in (LearningPattern, AgentLearningPattern):
            model.objects.update(last_seen_at=timezone.now() - timedelta(days=10))
    assert {line["confidence"] for line in lines(ask()[1])} == {0.31}
    settings.LEARNING_HALF_LIFE_DAYS = 1
    with caller.scope():
        LearningPattern.objects.update(last_seen_at=timezone.now() - timedelta(days=3650))
    assert {line["about"] for line in lines(ask()[1])} == {"agent"}
    with caller.scope():
        LearningPattern.objects.update(last_seen_at=timezone.now() - timedelta(days=3650))
    assert expire_patterns() == 1
    assert counts(caller) == {}


@pytest.mark.security("learned patterns of others")
def test_patterns_stay_with_the_person_and_the_organisation(ask, caller, tenant, other_tenant, attacks):
    with caller.scope():
        TermFactory(term="Kojenwerft")
    for _ in range(2):
        ask(question=SECRET)
    colleague, foreigner = caller_of(add_member(tenant)), caller_of(add_member(other_tenant))
    attacks.attempt(succeeded=bool(counts(colleague)))
    attacks.attempt(succeeded=bool(counts(foreigner) or counts(foreigner, AgentLearningPattern)))
    for line in lines(ask(who=colleague)[1]):
        attacks.attempt(succeeded=line["about"] == "person")
    for line in lines(ask(shared_with=add_member(tenant).user)[1]):
        attacks.attempt(succeeded=line["about"] == "person")
    with colleague.scope():
        for row in AgentLearningPattern.objects.values():
            attacks.attempt(succeeded="koje" in str(row).lower() or "merger" in str(row).lower())


@pytest.mark.security("learned patterns of others", mutation=True)
def test_shared_conversation_would_show_personal_patterns(ask, caller, tenant, attacks, monkeypatch):
    for _ in range(2):
        ask()
    monkeypatch.setattr("conversations.runtime.context.is_shared", lambda conversation, user_id: False)
    instructions = ask(shared_with=add_member(tenant).user)[1]
    attacks.attempt(succeeded=any(line["about"] == "person" for line in lines(instructions)))


@pytest.mark.security("learned patterns of others")
def test_patterns_of_an_engagement_stay_in_it(ask, caller, attacks):
    with caller.scope():
        inside, other = (replace(caller, engagement_id=EngagementFactory().pk) for _ in range(2))
    for _ in range(2):
        ask(who=inside)
    with inside.scope():
        assert AgentLearningPattern.objects.get().engagement_id == inside.engagement_id
    assert [line["about"] for line in lines(ask(who=inside)[1])] == ["person", "agent"]
    for who in (caller, other):
        attacks.attempt(succeeded="agent" in [line["about"] for line in lines(ask(who=who)[1])])


@pytest.mark.security("learned patterns of others")
def test_tools_of_servers_for_others_are_not_named(ask, caller, agent, member, attacks):
    with caller.scope():
        config = McpServerConfigFactory(mcp_server__slug="payroll", for_all_users=False)
        McpServerUserFactory(config=config, user=member.user)
        agent.tools = ["mcp:payroll"]
        agent.save()
        for key in (f"agent:{agent.pk}:tool:payroll__raise", f"agent:{agent.pk}:tool:payrolls__raise"):
            counts = {"key": key, "raw_evidence": {"tool": "payroll__raise"}, "occurrences": 9}
            AgentLearningPatternFactory(insight_type="workflow_improvement", confidence_score=0.9, **counts)
    assert [line["uses"] for line in lines(ask()[1]) if "tool" in line] == [9]
    instructions = ask(who=caller_of(add_member(member.tenant)))[1]
    attacks.attempt(succeeded="payroll" in instructions)


def test_completions_are_learned_unless_they_are_not_stored(api_client, tenant):
    with tenant_scope(tenant, actor="system:test"):
        AgentFactory(slug="offline")
    client = api_client()
    for stored in (True, False):
        body = {"model": "offline", "store": stored, "messages": [{"role": "user", "content": "When?"}]}
        assert client.post("/v1/chat/completions", body, content_type=JSON).status_code == 200
    with tenant_scope(tenant, actor="system:test"):
        assert AgentLearningPattern.objects.get().occurrences == 1


def test_agent_without_memory_gets_no_patterns(ask, caller, agent):
    with caller.scope():
        agent.memory_enabled = False
        agent.save()
    for _ in range(2):
        ask()
    assert lines(ask()[1]) == []


def test_what_was_learned_can_be_read_and_deleted(ask, api_client, caller):
    ask(SUM, say("42."))
    client = api_client()
    with tenant_scope(caller.tenant_id, user=client.key.user_id):
        LearningPattern.objects.create(user_id=client.key.user_id, pattern_type="other", data={})
    insights = "/api/v1/agent-learning-patterns/"
    first, _ = client.get(insights).json()["results"]
    assert client.delete(f"{insights}{first['id']}/").status_code == 204
    assert client.post(f"{insights}forget/", content_type=JSON).json() == {"deleted": 1}
    assert client.get(insights).json()["results"] == []
    # Those of others, and those that clients observed, stay.
    assert client.post("/api/v1/learning-patterns/forget/", content_type=JSON).json() == {"deleted": 0}
    assert len(counts(caller)) == 2


def test_answer_that_is_not_stored_is_not_learned(ask, caller, monkeypatch):
    def send_without_text(turn, run, *, text, error=""):
        agent_runs.send_answer_stored(turn, run, text=None, error=error)

    monkeypatch.setattr(turn_results, "send_answer_stored", send_without_text)
    ask()
    assert counts(caller) == {}
