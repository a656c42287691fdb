"""Tests of sealing and tamper detection. Rows are committed, since only those can be sealed."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from agents.models import Agent
from agents.tests.factories import AgentFactory
from audit.services.sealing import NO_COPY, SealVerdict, seal, verify
from config.tenancy.scope import tenant_scope
from config.testing.database import connect, wait_until_closed
from tenants.tests.factories import TenantFactory


@pytest.fixture
def seal_file(settings, tmp_path):
    settings.AUDIT_SEAL_FILE = str(tmp_path / "kept" / "seals.jsonl")
    return tmp_path / "kept" / "seals.jsonl"


@pytest.fixture
def tenant(transactional_db):
    return TenantFactory()


@pytest.fixture
def work(tenant, seal_file):
    """Do some audited work and commit it."""

    def do(times=2):
        with tenant_scope(tenant, actor="system:test"):
            AgentFactory.create_batch(times)

    return do


@pytest.fixture
def sealed(work):
    """Return two seals, one for each round of work."""
    rounds = []
    for _ in range(2):
        work()
        wait_until_closed()
        rounds += seal()
    return rounds


@pytest.fixture
def tamper(superuser):
    """Change the ledger as the superuser, with all triggers disabled, as no application role can."""

    def do(statement):
        superuser(f"SET session_replication_role = replica; {statement}")

    return do


def verdicts():
    return [each.verdict for each in verify()]


def test_seals_cover_what_was_committed_and_are_chained(sealed):
    first, second = sealed

    assert (first.n, second.n) == (1, 2)
    assert bytes(second.prev) == bytes(first.hash)
    assert second.row_count == 2
    assert verdicts() == ["ok", "ok"]


def test_no_seal_without_new_rows(sealed):
    assert seal() == []


def test_open_transaction_is_not_sealed(work, second_connection, tenant):
    open_one = second_connection(autocommit=False)
    open_one.execute("SELECT pg_current_xact_id()")
    work(5)
    before = sum(each.row_count for each in seal())
    open_one.rollback()
    wait_until_closed()

    assert sum(each.row_count for each in seal()) >= 5
    assert before <= 1


def test_rolled_back_work_is_not_in_a_seal(work, tenant):
    work()
    wait_until_closed()
    (before,) = seal()
    with pytest.raises(ZeroDivisionError), tenant_scope(tenant, actor="system:test"):
        AgentFactory(max_tokens=AgentFactory().max_tokens / 0)

    wait_until_closed()
    assert seal() == []
    assert before.row_count > 0


def test_seals_are_copied_out_of_the_database(sealed, seal_file):
    lines = [json.loads(line) for line in seal_file.read_text().splitlines()]

    assert [line["n"] for line in lines] == [1, 2]
    assert [line["hash"] for line in lines] == [bytes(each.hash).hex() for each in sealed]
    assert seal_file.stat().st_mode & 0o077 == 0


def test_seal_that_was_not_copied_is_copied_by_the_next_run(sealed, seal_file):
    whole = seal_file.read_text()
    seal_file.write_text(whole.splitlines(keepends=True)[0])

    assert seal() == []
    assert seal_file.read_text() == whole


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditlog SET new_values = '{}' WHERE new_values IS NOT NULL",
        "UPDATE audit_auditlog SET actor = 'user:other'",
        "DELETE FROM audit_auditlog WHERE resource_type = 'agents.agent'",
        (
            "INSERT INTO audit_auditlog (xid, actor, action, resource_type, resource_id, user_agent, request_id,"
            " db_user, status, error_message, metadata)"
            " SELECT min(xid::text)::xid8, 'x', 'x', 'x', '', '', '', 'x', 'success', '', '{}' FROM audit_auditlog"
        ),
    ],
)
def test_changed_rows_are_detected(sealed, tamper, statement):
    tamper(statement)

    assert any(word.startswith("rows tampered") for word in verdicts())


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_auditseal WHERE n = 1",
        "UPDATE audit_auditseal SET row_count = row_count + 1 WHERE n = 1",
        "UPDATE audit_auditseal SET root = sha256('x') WHERE n = 2",
        "UPDATE audit_auditseal SET xid_hi = xid_lo WHERE n = 1",
    ],
)
def test_changed_seals_are_detected(sealed, tamper, statement):
    tamper(statement)

    assert "chain broken" in verdicts()


def test_missing_tail_is_detected_only_by_the_copy(sealed, tamper):
    tamper("DELETE FROM audit_auditlog WHERE xid >= (SELECT xid_lo FROM audit_auditseal WHERE n = 2)")
    tamper("DELETE FROM audit_auditseal WHERE n = 2")

    assert all(each.ok for each in verify(with_copy=False))
    (bad,) = [each for each in verify() if not each.ok]
    assert (bad.n, bad.verdict) == (2, "missing from the database; the copy exists")


def test_rewritten_ledger_differs_from_its_copy(sealed, tamper):
    tamper("DELETE FROM audit_auditseal")
    tamper("UPDATE audit_auditlog SET actor = 'user:other'")
    wait_until_closed()
    seal()

    assert all(each.ok for each in verify(with_copy=False))
    assert "differs from its copy" in verdicts()


def test_missing_copy_is_a_finding(sealed, seal_file):
    seal_file.unlink()

    assert verdicts()[-1] == NO_COPY


def test_damaged_copy_is_a_finding(sealed, seal_file):
    seal_file.write_text(seal_file.read_text() + "{torn")

    assert not all(each.ok for each in verify())


def test_expired_partition_keeps_its_seal(sealed, superuser, tenant):
    with connect("conclave_owner") as owner, owner.transaction():
        names = owner.execute("SELECT DISTINCT partition FROM audit_auditseal").fetchall()
        part = names[0][0]
        bounds = owner.execute(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s", [part]
        ).fetchone()[0]
        owner.execute(f"ALTER TABLE audit_auditlog DETACH PARTITION {part}")
        owner.execute(f"ALTER TABLE {part} RENAME TO expired_partition")
    try:
        assert set(verdicts()) == {"ok (partition expired)"}
    finally:
        with connect("conclave_owner") as owner, owner.transaction():
            owner.execute(f"ALTER TABLE expired_partition RENAME TO {part}")
            owner.execute(f"ALTER TABLE audit_auditlog ATTACH PARTITION {part} {bounds}")


def test_seals_of_another_cluster_are_not_recomputed(sealed, tamper):
    cluster = "system_identifier = system_identifier + 1"
    tamper(f"UPDATE audit_auditseal SET {cluster}")

    assert verdicts() == ["ok (of another cluster)"] * 2


def test_empty_ledger_verifies(transactional_db, seal_file):
    assert verify() == []


def test_commands_seal_and_verify(work, tamper):
    work()
    wait_until_closed()
    out = StringIO()
    call_command("seal_audit", stdout=out)
    call_command("verify_audit", stdout=out)
    tamper("DELETE FROM audit_auditlog")

    assert "1 seals verified" in out.getvalue()
    with pytest.raises(CommandError, match="1 of 1 seals failed verification"):
        call_command("verify_audit", stdout=out)


def test_sealing_adds_no_row_to_the_log(sealed):
    with connect("conclave_owner") as owner:
        before = owner.execute("SELECT count(*) FROM audit_auditlog").fetchone()
        seal()
        verify()
        assert owner.execute("SELECT count(*) FROM audit_auditlog").fetchone() == before


def test_tenant_work_cannot_seal_or_verify(tenant):
    from django.db import ProgrammingError, connection, transaction

    with tenant_scope(tenant, actor="system:test"), connection.cursor() as cursor:
        for function in ("conclave_audit_seal", "conclave_audit_verify"):
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                cursor.execute(f"SELECT {function}()")
        assert Agent.objects.count() == 0


def test_verdicts_are_ok_or_not():
    assert SealVerdict(1, "p", 1, "ok (partition expired)").ok
    assert not SealVerdict(1, "p", 1, "okay").ok
