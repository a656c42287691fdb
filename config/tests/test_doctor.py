"""Each check of `manage.py doctor` fails on a cluster that violates it."""

import io
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db.utils import ConnectionHandler

from config.db import partitions, roles
from config.postgres import checks
from config.postgres.checks import Level
from config.postgres.cluster import connection_settings, ensure_running, run_sql
from config.testing.clusters import temporary_cluster


@pytest.fixture(scope="module")
def cluster():
    with temporary_cluster() as made:
        ensure_running(made)
        yield made


@pytest.fixture
def owner(cluster, django_db_blocker):
    """Connection of the owner to an empty database that is bootstrapped again after each test."""
    fields = connection_settings(cluster, roles.OWNER)
    database = ConnectionHandler({"default": {"ENGINE": "config.db.backend", **fields}})["default"]
    with django_db_blocker.unblock():
        yield database
        database.close()
    roles.bootstrap(lambda name, sql: run_sql(cluster, sql, name), {}, "trial")


def levels(findings):
    return {finding.level for finding in findings}


def failures(findings):
    return [finding.text for finding in findings if finding.level is Level.FAIL]


def sabotage(cluster, sql):
    run_sql(cluster, sql, "trial")


@pytest.mark.parametrize(
    "check", [checks.check_server, checks.check_extensions, checks.check_roles, checks.check_row_security]
)
def test_a_fresh_cluster_is_sound(owner, check):
    findings = list(check(owner))
    assert levels(findings) == {Level.OK}, findings


def test_lost_durability_fails(cluster, owner):
    sabotage(cluster, "ALTER DATABASE trial SET synchronous_commit = off")
    try:
        assert failures(checks.check_server(owner)) == ["synchronous_commit is off"]
    finally:
        sabotage(cluster, "ALTER DATABASE trial RESET synchronous_commit")


def test_a_missing_extension_fails_and_plain_search_warns(cluster, owner):
    sabotage(cluster, "DROP EXTENSION vector; ALTER FUNCTION ts_match_vq(tsvector, tsquery) NOT LEAKPROOF")
    findings = list(checks.check_extensions(owner))
    assert [finding.level for finding in findings] == [Level.FAIL, Level.WARN]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("ALTER ROLE conclave_web BYPASSRLS", ["conclave_web has BYPASSRLS"]),
        ("ALTER ROLE conclave_app SUPERUSER", ["conclave_app has SUPERUSER"]),
        (
            "GRANT conclave_operator TO conclave_public",
            ["conclave_public is a member of conclave_operator (inherit False, set True)"],
        ),
        (
            "GRANT pg_execute_server_program TO conclave_web",
            ["conclave_web is a member of pg_execute_server_program (inherit False, set True)"],
        ),
        (
            "REVOKE conclave_queue FROM conclave_worker",
            ["conclave_worker should be in conclave_queue (inherit True)"],
        ),
        (
            "REVOKE conclave_app FROM conclave_tenant; GRANT conclave_app TO conclave_tenant WITH INHERIT TRUE",
            [
                "conclave_tenant is a member of conclave_app (inherit True, set True)",
                "conclave_tenant should be in conclave_app (inherit False)",
            ],
        ),
        (
            "GRANT conclave_identity TO conclave_tenant",
            ["conclave_tenant is a member of conclave_identity (inherit False, set True)"],
        ),
    ],
)
def test_drifted_roles_fail(cluster, owner, sql, said):
    sabotage(cluster, sql)
    try:
        assert failures(checks.check_roles(owner)) == said
    finally:
        sabotage(cluster, "REVOKE pg_execute_server_program FROM conclave_web")


@pytest.mark.parametrize(
    "protection",
    [
        "",
        "ALTER TABLE bare ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON bare USING (true);",
        "ALTER TABLE bare ENABLE ROW LEVEL SECURITY; ALTER TABLE bare FORCE ROW LEVEL SECURITY;",
    ],
    ids=["without", "unforced", "no-policy"],
)
def test_a_tenant_table_without_full_protection_fails(cluster, owner, protection):
    sabotage(cluster, f"CREATE TABLE bare (tenant_id uuid); {protection}")
    try:
        assert failures(checks.check_row_security(owner)) == ["bare is not protected"]
    finally:
        sabotage(cluster, "DROP TABLE bare")


def test_waiting_migrations_fail(owner):
    [finding] = checks.check_migrations(owner)
    assert finding.level is Level.FAIL
    assert "unapplied migrations" in finding.text


def test_a_check_that_cannot_run_is_a_failure(owner):
    findings = [finding for finding in checks.run_checks(owner) if finding.subject == "worker"]
    assert [finding.level for finding in findings] == [Level.FAIL]
    assert "procrastinate_workers" in findings[0].text


@pytest.mark.parametrize("text", ["", "k1:c2hvcnQ=", "nonsense"])
def test_unreadable_keys_fail_without_showing_them(settings, text):
    settings.CONCLAVE_KEKS = text
    settings.KEK_FILE = None
    [finding] = checks.check_keys(None)
    assert finding.level is Level.FAIL
    assert "c2hvcnQ" not in finding.text


@pytest.mark.django_db
def test_partitions_that_run_out_warn_and_then_fail(settings, monkeypatch):
    settings.PARTITIONS_AHEAD = partitions.periods_ahead(partitions.partitioned_models()[0]) + 1
    assert Level.WARN in levels(checks.check_partitions(None))
    monkeypatch.setattr(partitions.timezone, "now", lambda: datetime(2100, 1, 1, tzinfo=UTC))
    assert levels(checks.check_partitions(None)) == {Level.FAIL}


@pytest.mark.django_db
def test_the_migrated_database_passes():
    out = io.StringIO()
    call_command("doctor", stdout=out, no_color=True)
    first_words = {line.split()[0] for line in out.getvalue().splitlines()}
    assert "FAIL" not in first_words
    assert "enabled and forced on" in out.getvalue()


def test_db_roles_prints_verifiers_and_no_password(monkeypatch):
    monkeypatch.setenv("CONCLAVE_WEB_PASSWORD", "correct horse battery")
    out = io.StringIO()
    call_command("db_roles", stdout=out)
    assert "CREATE ROLE conclave_audit" in out.getvalue()
    assert "SCRAM-SHA-256$" in out.getvalue()
    assert "correct horse" not in out.getvalue()


def test_db_roles_applies_only_with_a_superuser(cluster, monkeypatch):
    monkeypatch.delenv("DATABASE_SUPERUSER_URL", raising=False)
    with pytest.raises(CommandError, match="DATABASE_SUPERUSER_URL"):
        call_command("db_roles", "--apply")
    web = connection_settings(cluster, roles.WEB)
    url = f"postgres:///postgres?host={web['HOST']}&user={web['USER']}&password={web['PASSWORD']}"
    monkeypatch.setenv("DATABASE_SUPERUSER_URL", url)
    with pytest.raises(CommandError, match="permission denied"):
        call_command("db_roles", "--apply", stdout=io.StringIO())


def test_db_roles_applies_to_a_bare_server(cluster, monkeypatch):
    sabotage(
        cluster, "CREATE ROLE chief SUPERUSER LOGIN PASSWORD 'chief'; DROP ROLE IF EXISTS conclave_nobody"
    )
    hba = cluster.data / "pg_hba.conf"
    hba.write_text("local all chief scram-sha-256\n" + hba.read_text())
    sabotage(cluster, "SELECT pg_reload_conf(); REVOKE conclave_app FROM conclave_tenant")
    host = connection_settings(cluster, roles.WEB)["HOST"]
    monkeypatch.setenv(
        "DATABASE_SUPERUSER_URL", f"postgres:///postgres?host={host}&user=chief&password=chief"
    )
    out = io.StringIO()
    call_command("db_roles", "--apply", "--database", "elsewhere", stdout=out)
    assert "elsewhere are ready" in out.getvalue()
    owner = run_sql(
        cluster, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'elsewhere'", "trial"
    )
    assert owner.strip() == roles.OWNER
