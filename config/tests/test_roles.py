"""Database logins, roles and defaults of a new database."""

import psycopg
import pytest

from config.db import roles
from config.postgres.cluster import ensure_running, run_sql
from config.postgres.logins import OWNER, PLATFORM, PUBLIC, TENANT, WEB, WORKER
from config.testing.clusters import temporary_cluster
from config.tests.test_embedded import connect, superuser_value


@pytest.fixture(scope="module")
def cluster():
    with temporary_cluster() as made:
        ensure_running(made)
        yield made


@pytest.mark.parametrize("role", [*roles.LOGINS, *roles.ROLES])
def test_no_role_stands_above_the_policies(cluster, role):
    flags = superuser_value(
        cluster,
        "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication, rolcreatedb, rolcanlogin"
        f" FROM pg_roles WHERE rolname = '{role}'",
    )
    assert flags == "|".join(["f", "t" if role == OWNER else "f", "t" if role in roles.LOGINS else "f"])


@pytest.mark.parametrize("login", roles.LOGINS)
def test_a_login_can_set_its_roles_and_no_other(cluster, login):
    refused = [*roles.ROLES, *roles.LOGINS, "postgres", "pg_read_all_data", "pg_execute_server_program"]
    worn = set()
    with connect(cluster, login) as connection:
        for role in refused:
            try:
                connection.execute(f"SET ROLE {role}")
                worn.add(role)
            except psycopg.errors.InsufficientPrivilege:
                pass
            connection.execute("RESET ROLE")
    assert worn == {*roles.MEMBERSHIPS[login], login}


@pytest.mark.parametrize(
    ("login", "role"),
    [
        (PUBLIC, roles.OPERATOR),
        (WEB, OWNER),
        (WEB, roles.AUDIT),
        (WEB, roles.QUEUE),
        (WEB, roles.APP),
        (WEB, roles.OPERATOR),
        (WORKER, OWNER),
        (WORKER, roles.OPERATOR),
        (TENANT, roles.IDENTITY),
        (TENANT, roles.OPERATOR),
        (TENANT, roles.QUEUE),
        (PLATFORM, roles.IDENTITY),
        (PLATFORM, roles.QUEUE),
    ],
)
def test_the_dangerous_hats_are_out_of_reach(cluster, login, role):
    with connect(cluster, login) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"SET ROLE {role}")


@pytest.mark.parametrize("login", roles.LOGINS)
def test_a_login_inherits_only_what_its_process_needs_always(cluster, login):
    with connect(cluster, login) as connection:
        usable = {
            role
            for role in roles.ROLES
            if connection.execute("SELECT pg_has_role(%s, 'USAGE')", [role]).fetchone()[0]
        }
    assert usable == {role for role, inherit in roles.MEMBERSHIPS[login].items() if inherit}


def test_bootstrap_again_takes_back_what_drifted(cluster):
    superuser_value(
        cluster, f"GRANT {roles.OPERATOR} TO {PUBLIC}; GRANT {OWNER} TO {WEB}; ALTER ROLE {WEB} BYPASSRLS"
    )
    roles.bootstrap(lambda name, sql: run_sql(cluster, sql, name), {}, "trial")
    test_a_login_can_set_its_roles_and_no_other(cluster, PUBLIC)
    test_a_login_can_set_its_roles_and_no_other(cluster, WEB)
    test_no_role_stands_above_the_policies(cluster, WEB)


def test_the_printed_script_is_what_psql_takes(cluster):
    script = roles.bootstrap_sql({}, "trial_printed")
    run_sql(cluster, script, "postgres")
    assert superuser_value(
        cluster, "SELECT extname FROM pg_extension WHERE extname = 'vector'", "trial_printed"
    )
    run_sql(cluster, script + "\\connect postgres\nDROP DATABASE trial_printed;", "postgres")


# --- defaults of a new database ------------------------------------------------------------------------


def test_owner_database_has_vectors_and_leakproof_search(cluster):
    with connect(cluster, OWNER, dbname="postgres") as connection:
        connection.execute("CREATE DATABASE test_born")
    try:
        with connect(cluster, OWNER, dbname="test_born") as connection:
            connection.execute("CREATE TABLE t (e vector(3))")
            leakproof = "SELECT proleakproof FROM pg_proc WHERE proname = 'ts_match_vq'"
            assert connection.execute(leakproof).fetchone() == (True,)
    finally:
        with connect(cluster, OWNER, dbname="postgres") as connection:
            connection.execute("DROP DATABASE test_born")


def test_owner_transfers_tables_and_functions_to_the_audit_role(cluster):
    with connect(cluster, OWNER) as connection:
        connection.execute(
            "GRANT USAGE, CREATE ON SCHEMA public TO conclave_audit; CREATE TABLE handed (id int);"
            "ALTER TABLE handed OWNER TO conclave_audit;"
            "CREATE FUNCTION handed() RETURNS int LANGUAGE sql AS 'SELECT 1';"
            "ALTER FUNCTION handed() OWNER TO conclave_audit; ALTER TABLE handed ADD COLUMN more int"
        )
        owner = connection.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'handed'").fetchone()
    assert owner == ("conclave_audit",)


def test_serving_logins_cannot_create_objects(cluster):
    for login in (WEB, WORKER, PUBLIC, TENANT, PLATFORM):
        with connect(cluster, login) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE TABLE public.mine (id int)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE DATABASE mine")


@pytest.mark.parametrize("login", roles.LOGINS)
def test_a_login_plans_as_partitions_need_it(cluster, login):
    wanted = roles.PLANNING | (
        {"plan_cache_mode": "auto"} if login in (OWNER, WORKER) else roles.PREPARED_PLANS
    )
    with connect(cluster, login) as connection:
        found = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in wanted}
    assert found == wanted
