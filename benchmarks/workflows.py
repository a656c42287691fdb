"""Cost of workflow steps compared with jobs of procrastinate and with DBOS, of starts, maps and waits, and fairness.

The worker runs in this process. CPU is that of the process and of the whole server, so that it includes backends that
have ended.
"""

import asyncio
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from procrastinate.contrib.django import app

from .installation import DATABASE, House
from .meter import TICK, spent_with

CONCURRENCY = 4
STEPS, RUNS = 30, 10
WAITING = 100_000
BODY_SECONDS = 0.02
WORK_SECONDS = 600
RIVAL = Path(__file__).with_name("rival_workflows.py")
RIVAL_DATABASE = "bench_dbos"
NOOP = "benchmarks.workflows.noop"
DEFER = f"""
INSERT INTO procrastinate_jobs (queue_name, task_name, args)
SELECT 'bench', '{NOOP}', '{{{{}}}}' FROM generate_series(1, {{count}})
"""
FILL = """
SET session_replication_role = replica;
INSERT INTO workflows_stepexecution
  SELECT (jsonb_populate_record(step, jsonb_build_object('id', uuidv7(), 'item', n))).*
  FROM workflows_stepexecution step, generate_series(1, {count}) n WHERE id = '{step}';
"""


@app.task(name=NOOP, queue="bench")
def noop() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class StepCosts:
    """CPU milliseconds of a step and of a job of procrastinate, and the median of their ratios."""

    step: float
    job: float
    ratio: float


def log_in_as_worker() -> None:
    """Use the login of the workers, who alone may read the queue and find due steps."""
    from django.db import connection

    connection.close()
    # The dictionary of all threads.
    connection.settings_dict |= _get_worker_login()


def compare_steps(house: House, *, rounds: int) -> StepCosts:
    """Compare a step that does nothing, in a run of 30 steps, with a job that does nothing."""
    workflow = _publish(house, "bench", _chain(STEPS))
    pairs = []
    for _ in range(rounds):
        _start(house, workflow, RUNS)
        step = _spent(lambda: _work("workflows", lambda: _has_no_open_runs(house.tenant_id))) / (STEPS * RUNS)
        pairs.append((step * 1000, _measure_job() * 1000))
    return _summarize(pairs)


def _measure_job() -> float:
    """Return the CPU seconds of a job that does nothing."""
    _run_sql(DEFER.format(count=STEPS * RUNS))
    return _spent(lambda: _work("bench", _has_no_jobs)) / (STEPS * RUNS)


def _summarize(pairs: list[tuple[float, float]]) -> StepCosts:
    steps, jobs = zip(*pairs, strict=True)
    return StepCosts(
        statistics.median(steps),
        statistics.median(jobs),
        statistics.median(step / job for step, job in pairs),
    )


def compare_rival(house: House, python: str, *, rounds: int) -> StepCosts:
    """Compare a step of DBOS, which this Python has, with a job of procrastinate, on the same server."""
    from config.postgres.cluster import connection_settings, default_cluster
    from config.postgres.logins import OWNER

    owner = connection_settings(default_cluster(), OWNER)
    _run_sql(f"DROP DATABASE IF EXISTS {RIVAL_DATABASE}")
    _run_sql(f"CREATE DATABASE {RIVAL_DATABASE} OWNER {OWNER}")
    url = f"postgresql://{OWNER}@/{RIVAL_DATABASE}?host={owner['HOST']}&port={owner['PORT']}"
    command = [python, str(RIVAL), url, str(STEPS), str(RUNS)]
    environment = house.environment(PGPASSWORD=owner["PASSWORD"])
    pairs = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin
        assert process.stdout
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("The process of the other engine exited.")
        for _ in range(rounds):
            before = _measure_server()
            print(file=process.stdin, flush=True)
            client = float(process.stdout.readline())
            step = (client + _measure_server() - before) / (STEPS * RUNS)
            pairs.append((step * 1000, _measure_job() * 1000))
        process.stdin.close()
    return _summarize(pairs)


def measure_map(house: House, *, items: int) -> tuple[float, float]:
    """Return the CPU milliseconds of an item of a map, in ranges of 50, and the megabytes that the process grew."""
    step = {"id": "item", "kind": "transform", "value": "${ item }"}
    map_step = {"id": "each", "kind": "map", "items": "${ input.items }", "item_batch": 50, "steps": [step]}
    workflow = _publish(house, "bench-map", [map_step])

    def run(count: int) -> None:
        _start(house, workflow, 1, input_data={"items": list(range(count))})
        _work("workflows", lambda: _has_no_open_runs(house.tenant_id))

    run(items // 10)
    before = _measure_memory()
    spent = _spent(lambda: run(items)) / items * 1000
    return spent, _measure_memory() - before


def measure_start(house: House, *, count: int) -> float:
    """Return the CPU milliseconds of starting a run, its transaction included."""
    from django.db import connection

    workflow = _publish(house, "bench-start", _chain(STEPS))
    _start(house, workflow, 5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    before = spent_with(backend)
    _start(house, workflow, count)
    spent = (spent_with(backend) - before) / count * 1000
    _work("workflows", lambda: _has_no_open_runs(house.tenant_id))
    return spent


def compare_waiting(house: House, *, count: int) -> dict[str, float]:
    """Return the CPU of a tick and of a claim beside many waiting steps, relative to none."""
    from config.tenancy.scope import tenant_scope
    from workflows.models import StepExecution
    from workflows.runtime.clock import tick
    from workflows.services.lanes import claim_steps

    def claim() -> None:
        with tenant_scope(house.tenant_id, actor="system:bench"):
            claim_steps(house.tenant_id, 0)

    workflow = _publish(house, "bench-wait", [{"id": "wait", "kind": "delay", "seconds": 86_400}])
    _start(house, workflow, 1)
    _work("workflows", _has_waiting_step)
    with tenant_scope(house.tenant_id, actor="system:bench"):
        step = StepExecution.objects.get(execution__workflow=workflow)
    actions = {"tick": tick, "claim": claim}
    alone = {name: _cost(action, count) for name, action in actions.items()}
    _run_sql(FILL.format(count=WAITING, step=step.pk), "ANALYZE workflows_stepexecution")
    return {name: _cost(action, count) / alone[name] for name, action in actions.items()}


def compare_tenants(house: House, other: UUID, *, rounds: int) -> tuple[float, float]:
    """Return the seconds of a tenant's ten steps alone, and behind 10,000 steps of another tenant.

    Each step takes 20 ms, and each tenant has four lanes.
    """
    step = {"kind": "tool", "tool": "calculator", "input": {"expression": "1"}, "needs": []}
    steps, crowd = ([{"id": f"step_{number}", **step} for number in range(count)] for count in (10, 500))
    small = _publish(house, "bench-ten", steps)
    large = _publish(house, "bench-crowd", crowd, tenant=other)
    alone: list[float] = []
    behind: list[float] = []

    def measure() -> bool:
        _time_run(house, small)
        alone.extend(_time_run(house, small) for _ in range(rounds))
        _start(house, large, 20, tenant=other)
        behind.extend(_time_run(house, small) for _ in range(rounds))
        return True

    with _slow_bodies():
        _work("workflows", measure)
    if _has_no_open_runs(other):
        raise RuntimeError("The steps of the other tenant ended too early.")
    return statistics.median(alone), statistics.median(behind)


def find_other_tenant(house: House) -> UUID:
    """Return a tenant of the installation other than that of `house`."""
    from config.tenancy.scope import platform_scope
    from tenants.models import Tenant

    with platform_scope(reason="benchmark", actor="system:bench"):
        return Tenant.objects.exclude(pk=house.tenant_id).order_by("pk").values_list("pk", flat=True)[0]


def _chain(count: int) -> list[dict[str, Any]]:
    return [{"id": f"step_{number}", "kind": "transform", "value": 1} for number in range(count)]


def _publish(house: House, slug: str, steps: list[dict[str, Any]], *, tenant: UUID | None = None) -> Any:
    from config.tenancy.scope import tenant_scope
    from workflows.models import Workflow
    from workflows.services.publishing import publish

    with tenant_scope(tenant or house.tenant_id, actor="system:bench"):
        definition = {"schema": "conclave.workflow/1", "steps": steps}
        workflow = Workflow(name=slug, slug=slug, definition=definition)
        workflow.save()
        publish(workflow)
        workflow.refresh_from_db()
        return workflow


def _start(
    house: House,
    workflow: Any,
    count: int,
    *,
    tenant: UUID | None = None,
    input_data: dict[str, Any] | None = None,
) -> list[Any]:
    from config.tenancy.scope import tenant_scope
    from workflows.services.runs import start_run

    runs = []
    for _ in range(count):
        with tenant_scope(tenant or house.tenant_id, actor="system:bench"):
            runs.append(start_run(workflow, input_data=input_data))
    return runs


def _work(queue: str, is_done: Callable[[], bool]) -> None:
    """Run a worker until `is_done`, which is asked four times a second.

    Raises:
        TimeoutError: it was not done in time. Errors of the worker are raised too.
    """
    from procrastinate.contrib.django.utils import connector_params

    from config.jobs import QueueConnector

    login = _get_worker_login()
    parameters = connector_params("default") | {"user": login["USER"], "password": login["PASSWORD"]}

    async def run() -> None:
        with app.replace_connector(QueueConnector(kwargs=parameters)) as worker:
            async with worker.open_async():
                task = asyncio.create_task(
                    worker.run_worker_async(
                        queues=[queue],
                        concurrency=CONCURRENCY,
                        delete_jobs="successful",
                        install_signal_handlers=False,
                    )
                )
                until = time.monotonic() + WORK_SECONDS
                while not await asyncio.to_thread(is_done):
                    if task.done():
                        task.result()
                    if time.monotonic() > until:
                        raise TimeoutError(queue)
                    await asyncio.sleep(0.25)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def _get_worker_login() -> dict[str, str]:
    """Return user name and password of the workers."""
    from config.postgres.logins import WORKER
    from config.settings.databases import login_settings

    login = login_settings(WORKER)
    return {name: login[name] for name in ("USER", "PASSWORD")}


def _time_run(house: House, workflow: Any) -> float:
    """Return the seconds from the start of a run to its end."""
    from config.tenancy.scope import tenant_scope
    from workflows.models import WorkflowExecution

    (run,) = _start(house, workflow, 1)
    while True:
        with tenant_scope(house.tenant_id, actor="system:bench"):
            found = WorkflowExecution.objects.only("created_at", "completed_at").get(pk=run.pk)
        if found.completed_at:
            return (found.completed_at - found.created_at).total_seconds()
        time.sleep(0.02)


@contextmanager
def _slow_bodies() -> Iterator[None]:
    """Let each `tool` step take `BODY_SECONDS`."""
    from workflows.choices import StepKind
    from workflows.runtime import step_bodies

    body = step_bodies.get_body(StepKind.TOOL)

    def slow(context: Any) -> Any:
        time.sleep(BODY_SECONDS)
        return body(context)

    step_bodies.register_body(StepKind.TOOL)(slow)
    try:
        yield
    finally:
        step_bodies.register_body(StepKind.TOOL)(body)


def _has_no_open_runs(tenant: UUID) -> bool:
    runs = f"SELECT FROM workflows_workflowexecution WHERE tenant_id = '{tenant}' AND completed_at IS NULL"
    return _run_sql(f"SELECT NOT EXISTS ({runs})") == "t"


def _has_waiting_step() -> bool:
    return _run_sql("SELECT EXISTS (SELECT FROM workflows_stepexecution WHERE status = 'waiting')") == "t"


def _has_no_jobs() -> bool:
    return _run_sql("SELECT NOT EXISTS (SELECT FROM procrastinate_jobs WHERE queue_name = 'bench')") == "t"


def _run_sql(*statements: str) -> str:
    from config.postgres.cluster import default_cluster, run_sql

    return run_sql(default_cluster(), ";".join(statements), DATABASE, timeout=3600).strip()


def _cost(action: Callable[[], None], count: int) -> float:
    from django.db import connection

    action()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    before = spent_with(backend)
    for _ in range(count):
        action()
    return spent_with(backend) - before


def _spent(action: Callable[[], None]) -> float:
    """Return the CPU seconds of this process and of the server during the action."""
    before = time.process_time() + _measure_server()
    action()
    return time.process_time() + _measure_server() - before


def _measure_server() -> float:
    """Return the CPU seconds of the server's processes, including those that have ended."""
    from config.postgres.cluster import default_cluster

    pid = (default_cluster().data / "postmaster.pid").read_text().split()[0]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _read_times(pid, 4) + sum(_read_times(child, 2) for child in children)


def _measure_memory() -> float:
    """Return the resident megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _read_times(pid: str, count: int) -> float:
    """Return the sum of the first `count` of user, system, children's user and children's system time."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11 : 11 + count])) * TICK
