"""Jobs are deferred in the current transaction and isolated by tenant."""

import asyncio
import re

import pytest
from django.db import ProgrammingError, connection, transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException

from config import tasks
from config.jobs import QueueConnector
from config.tenancy.scope import tenant_scope
from config.testing.database import connection_parameters
from config.testing.web_server import BASE_DIR

JOB = "conversations.tasks.resume_due_work"


def defer(tenant_id):
    return app.configure_task(JOB).defer(timestamp=0, tenant_id=str(tenant_id))


def job_ids():
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM procrastinate_jobs")
        return {row[0] for row in cursor.fetchall()}


def test_every_periodic_job_is_documented():
    page = (BASE_DIR / "docs/reference/commands.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` \| (?:every|hourly|daily)", page, re.MULTILINE))
    jobs = {job.task.name.rpartition(".")[2] for job in app.periodic_registry.periodic_tasks.values()}
    assert documented == jobs


def test_tenant_sees_only_its_jobs(tenant, other_tenant, member):
    with tenant_scope(tenant, user=member.user):
        job = defer(tenant.pk)
        assert job in job_ids()
    with tenant_scope(other_tenant, actor="system:test"):
        assert job_ids() == set()


def test_a_job_for_another_tenant_is_refused(tenant, other_tenant, member):
    with tenant_scope(tenant, user=member.user):
        with pytest.raises(ConnectorException) as refused, transaction.atomic():
            defer(other_tenant.pk)
        assert "row-level security" in str(refused.value.__cause__)


def test_a_job_goes_with_its_transaction(tenant, member):
    with tenant_scope(tenant, user=member.user):
        with transaction.atomic():
            defer(tenant.pk)
            transaction.set_rollback(True)
        assert job_ids() == set()


def test_tenant_work_may_not_touch_the_queue_itself(tenant, member):
    with tenant_scope(tenant, user=member.user), connection.cursor() as cursor:
        for sql in ("DELETE FROM procrastinate_jobs", "UPDATE procrastinate_jobs SET status = 'todo'"):
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                cursor.execute(sql)


def test_a_periodic_job_that_still_waits_does_not_end_the_worker(transactional_db):
    connector = QueueConnector(kwargs=connection_parameters("conclave_worker"))

    async def defer_twice():
        with app.replace_connector(connector) as worker:
            async with worker.open_async():
                for moment in (60, 120):
                    job = tasks.retry_stalled_jobs.configure(task_kwargs={"timestamp": moment}).job
                    await worker.job_manager.defer_periodic_job(
                        job=job, periodic_id="", defer_timestamp=moment
                    )

    with pytest.raises(AlreadyEnqueued):
        asyncio.run(defer_twice())


def test_a_dead_job_whose_successor_waits_does_not_stop_the_retry_of_others(
    transactional_db, second_connection
):
    connector = QueueConnector(kwargs=connection_parameters("conclave_worker"))
    owner = second_connection("conclave_owner")
    insert = (
        "INSERT INTO procrastinate_jobs (task_name, queue_name, args, status, lock, queueing_lock)"
        " VALUES (%s, 'default', '{}', %s, %s, %s)"
    )
    rows = (("dead", "doing", "a", "a"), ("successor", "todo", "a", "a"), ("other", "doing", None, "b"))
    for row in rows:
        owner.execute(insert, row)

    async def retry():
        with app.replace_connector(connector) as worker:
            async with worker.open_async():
                await tasks.retry_stalled_jobs(timestamp=0)

    asyncio.run(retry())
    found = owner.execute("SELECT task_name, status::text FROM procrastinate_jobs ORDER BY id").fetchall()
    assert found == [("dead", "failed"), ("successor", "todo"), ("other", "todo")]


def test_every_periodic_job_has_a_queueing_lock_and_no_lock():
    periodic = app.periodic_registry.periodic_tasks.values()
    assert {task.task.name for task in periodic} >= {
        tasks.make_partitions.name,
        tasks.retry_stalled_jobs.name,
    }
    assert all(task.task.queueing_lock and not task.task.lock for task in periodic)
