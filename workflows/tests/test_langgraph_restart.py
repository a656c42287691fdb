"""A LangGraph graph with an interrupt continues in another process after its own was killed."""

import json
import subprocess
import sys

import pytest

from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.testing.web_server import BASE_DIR, build_environment
from workflows.models import GraphCheckpoint

pytest.importorskip("langgraph.graph", reason="langgraph is not installed")


def run_program(*arguments):
    command = [sys.executable, "-m", "workflows.tests.graph_program", *map(str, arguments)]
    return subprocess.run(
        command,
        env=build_environment(),
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_graph_resumes_at_its_interrupt_after_a_restart(transactional_db, tenant, member):
    first = run_program(tenant.pk, member.user_id, "refund")
    colleague = run_program(tenant.pk, add_member(tenant).user_id, "refund", "yes")
    second = run_program(tenant.pk, member.user_id, "refund", "yes")

    assert (first.returncode, json.loads(first.stdout)) == (-9, {"refund": 5}), first.stderr
    assert "yes" not in colleague.stdout
    state = json.loads(second.stdout)
    assert state == {"amount": 5, "decision": "yes", "visited": ["check", "ask", "pay"]}, second.stderr
    with tenant_scope(tenant, user=member.user):
        sources = GraphCheckpoint.objects.order_by("checkpoint_id").values_list("metadata__step", flat=True)
        assert list(sources) == [-1, 0, 1, 2, 3]
