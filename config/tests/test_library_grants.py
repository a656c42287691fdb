"""Privileges on library tables."""

import psycopg
import pytest

from config.db.session import APP, IDENTITY, SESSION_SQL, Scope
from config.testing.database import connect
from tenants.tests.factories import TenantFactory

SIGN_IN = ("django_session", "account_emailaddress", "account_emailconfirmation", "mfa_authenticator")
QUEUE = ("procrastinate_events", "procrastinate_periodic_defers", "procrastinate_workers")
INSERT = "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('q', 't', %s)"


@pytest.fixture
def connect_as(second_connection):
    """Return a function that opens a transaction as a role and tenant."""

    def open_as(role, tenant_id=None, login="conclave_test"):
        opened = second_connection(login, autocommit=False)
        opened.execute(SESSION_SQL, Scope(role, tenant_id, actor="system:test").params())
        return opened

    return open_as


@pytest.mark.parametrize("table", SIGN_IN)
def test_only_the_identity_role_reads_sign_in_tables(connect_as, table):
    assert connect_as(IDENTITY).execute(f"SELECT count(*) FROM {table}").fetchone()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect_as(APP).execute(f"SELECT FROM {table}")


@pytest.mark.parametrize("table", QUEUE)
def test_tenant_work_cannot_look_into_the_queue(connect_as, table):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect_as(APP).execute(f"SELECT FROM {table}")


@pytest.mark.parametrize(
    "verb", ["UPDATE procrastinate_jobs SET attempts = 1", "DELETE FROM procrastinate_jobs"]
)
def test_tenant_work_cannot_change_jobs(connect_as, verb):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect_as(APP).execute(verb)


@pytest.fixture
def two_jobs(transactional_db):
    tenants = [TenantFactory(), TenantFactory()]
    with connect("conclave_worker") as worker:
        for tenant in tenants:
            worker.execute(INSERT, [f'{{"tenant_id": "{tenant.pk}"}}'])
    return tenants


def test_tenant_sees_its_own_jobs(connect_as, two_jobs):
    first, _ = two_jobs

    assert connect_as(APP, first.pk).execute(
        "SELECT args ->> 'tenant_id' FROM procrastinate_jobs"
    ).fetchall() == [(str(first.pk),)]
    assert connect_as(APP).execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)


@pytest.mark.parametrize("args", ["{}", '{"tenant_id": null}', '{"tenant_id": "another"}'])
def test_tenant_defers_jobs_for_itself_only(connect_as, two_jobs, args):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect_as(APP, two_jobs[0].pk).execute(INSERT, [args])


def test_deferring_a_job_writes_its_history_without_rights_on_it(connect_as, two_jobs):
    tenant = two_jobs[0].pk
    connect_as(APP, tenant).execute(INSERT, [f'{{"tenant_id": "{tenant}"}}'])


def test_worker_sees_every_job(two_jobs):
    with connect("conclave_worker") as worker:
        assert worker.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (2,)
        assert worker.execute("SELECT count(*) FROM procrastinate_events").fetchone()[0] >= 2


def test_web_login_cannot_wear_the_queues_hat(second_connection):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        second_connection("conclave_web").execute("SET ROLE conclave_queue")
