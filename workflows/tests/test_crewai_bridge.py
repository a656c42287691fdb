"""CrewAI flows whose state is in master flows.

Skipped unless crewai is installed, which needs a gigabyte of packages and other versions than Conclave's; see
`docs/how-to/crewai.md`.
"""

import json
import subprocess
import sys
import uuid

import pytest
from asgiref.sync import async_to_sync

from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.testing.web_server import BASE_DIR, build_environment
from workflows.models import MasterFlow
from workflows.tests.factories import MasterFlowFactory

pytest.importorskip("crewai.flow.persistence.base", reason="crewai is not installed")


@pytest.fixture
def persistence(tenant, member):
    from workflows.bridges.crewai import MasterFlowPersistence

    return MasterFlowPersistence(tenant_id=tenant.pk, user_id=member.user_id)


@pytest.fixture
def flow(tenant, member):
    with tenant_scope(tenant, user=member.user):
        return MasterFlowFactory()


def run_program(*arguments):
    command = [sys.executable, "-m", "workflows.tests.crew_program", *map(str, arguments)]
    environment = build_environment(CREWAI_DISABLE_TELEMETRY="true", OTEL_SDK_DISABLED="true")
    return subprocess.run(
        command, env=environment, cwd=BASE_DIR, capture_output=True, text=True, timeout=300, check=False
    )


def read_last_line(done):
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.slow
def test_flow_resumes_at_its_question_after_a_restart(transactional_db, tenant, member, other_tenant):
    with tenant_scope(tenant, user=member.user):
        flow = MasterFlowFactory()
    foreigner = add_member(other_tenant)
    first = run_program(tenant.pk, member.user_id, flow.pk)
    foreign = run_program(other_tenant.pk, foreigner.user_id, flow.pk, "yes")
    second = run_program(tenant.pk, member.user_id, flow.pk, "yes")

    assert first.returncode == -9, first.stderr
    assert read_last_line(first) == {"message": "Pay the refund?"}
    assert "No pending feedback found" in foreign.stderr
    state = read_last_line(second)
    assert state["decision"] == "yes"
    assert state["visited"] == ["check", "ask", "pay"]
    with tenant_scope(tenant, user=member.user):
        assert "pending_feedback" not in MasterFlow.objects.get(pk=flow.pk).state


def test_states_are_stored_and_restored(persistence, flow):
    persistence.init_db()
    state = {"id": str(flow.pk), "tags": {"a"}, "text": "a\x00b", "large": 2**100, "score": float("nan")}
    persistence.save_state(str(flow.pk), "check", state)

    assert persistence.load_state(str(flow.pk)) == state | {"tags": "{'a'}", "text": "ab", "score": None}


@pytest.mark.parametrize("name", [str(uuid.uuid4()), "refund"])
def test_unknown_flows(persistence, name):
    with pytest.raises(LookupError, match="Create it"):
        persistence.save_state(name, "check", {})
    assert persistence.load_state(name) is None
    assert persistence.load_pending_feedback(name) is None
    persistence.clear_pending_feedback(name)


def test_calls_within_an_event_loop_use_another_thread(transactional_db, persistence, flow):
    async def save_and_load():
        persistence.save_state(str(flow.pk), "check", {"n": 1})
        return persistence.load_state(str(flow.pk))

    assert async_to_sync(save_and_load)() == {"n": 1}
