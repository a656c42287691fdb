"""The functions that show the clock the tenants with work: which logins can call them, and what they return."""

import psycopg
import pytest
from django.utils import timezone

from config.postgres.logins import OWNER, PLATFORM, PUBLIC, TENANT, TEST, WEB, WORKER
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from config.testing.roles import as_platform
from tenants.models import Tenant
from workflows.models import StepExecution, WorkflowLane
from workflows.services.runs import start_run
from workflows.tests.runs import publish, transform

pytestmark = pytest.mark.engine
FUNCTIONS = ("conclave_due_workflows", "conclave_lost_workflows")


@pytest.fixture
def tenants(transactional_db):
    """Three tenants with a run whose wait is over and whose lane is lost: active, active without work, suspended."""
    made = [factory_for("tenants.Tenant")() for _ in range(3)]
    for place, tenant in enumerate(made):
        with tenant_scope(tenant, actor="system:test"):
            run = start_run(publish(transform("a", 1)))
            if place != 1:
                StepExecution.objects.filter(execution=run).update(status="waiting", wake_at=timezone.now())
                WorkflowLane.objects.filter(status="queued").update(status="running", job=2**40)
    with as_platform():
        Tenant.objects.filter(pk=made[2].pk).update(status="suspended")
    return made


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("login", [WEB, PUBLIC, TENANT, PLATFORM, TEST])
def test_only_the_worker_may_ask_which_tenants_have_work(second_connection, login, function):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        second_connection(login).execute(f"SELECT * FROM public.{function}()")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_other_role_may_call_the_functions(second_connection, function):
    sql = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'conclave%%' AND has_function_privilege(oid, %s, 'EXECUTE')"
    found = second_connection(OWNER).execute(sql, [f"public.{function}()"]).fetchall()
    assert {name for (name,) in found} == {OWNER, WORKER, "conclave_queue"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_worker_learns_the_ids_of_active_tenants_with_work_only(second_connection, tenants, function):
    worker = second_connection(WORKER)
    found = worker.execute(f"SELECT * FROM {function}()")

    assert [column.name for column in found.description] == ["tenant_id"]
    assert found.fetchall() == [(tenants[0].pk,)]
    for table in ("workflows_stepexecution", "workflows_workflowexecution", "workflows_workflowlane"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            worker.execute(f"SELECT FROM {table}")
