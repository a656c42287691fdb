"""The embedded server on temporary clusters: lifecycle, recovery and logins."""

import contextlib
import itertools
import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from config.db import roles
from config.postgres import binaries, postmaster
from config.postgres.cluster import (
    SUPERUSER,
    Cluster,
    cluster_status,
    connection_settings,
    destroy_cluster,
    ensure_running,
    hold_cluster,
    run_sql,
    stop_cluster,
)
from config.postgres.logins import OWNER, WEB
from config.testing.clusters import temporary_cluster


@pytest.fixture(scope="module")
def cluster():
    with temporary_cluster() as made:
        ensure_running(made)
        yield made


@pytest.fixture
def mortal():
    with temporary_cluster() as made:
        yield made


def connect(cluster, login, **changes):
    fields = connection_settings(cluster, login)
    keys = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return psycopg.connect(**{keys[key]: value for key, value in fields.items()} | changes, autocommit=True)


def superuser_value(cluster, sql, database="trial"):
    return run_sql(cluster, sql, database).strip()


def ensure_in_process(home, queue):
    queue.put(ensure_running(Cluster(home, "trial")))


def remembered(cluster):
    with connect(cluster, OWNER) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM kept ORDER BY 1")]


def keep(cluster, word):
    with connect(cluster, OWNER) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [word])


# --- lifecycle -------------------------------------------------------------------------------------


def test_a_second_start_finds_it_running(cluster):
    assert cluster_status(cluster) == "ready"
    assert ensure_running(cluster) is False


def test_concurrent_first_starts_create_one_server(mortal):
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    starters = [spawn.Process(target=ensure_in_process, args=(mortal.home, queue)) for _ in range(4)]
    for process in starters:
        process.start()
    answers = [queue.get(timeout=120) for _ in starters]
    for process in starters:
        process.join()
    assert sorted(answers) == [False, False, False, True]
    assert superuser_value(mortal, "SELECT count(*) FROM pg_database WHERE datname = 'trial'") == "1"


def test_a_killed_postmaster_is_recovered_with_all_data_and_no_orphan(mortal):
    ensure_running(mortal)
    keep(mortal, "acknowledged")
    client = connect(mortal, WEB)  # its backend becomes an orphan
    backend = client.info.backend_pid
    os.kill(backend, signal.SIGSTOP)  # one that never notices its postmaster's death
    os.kill(postmaster.find_postmaster(mortal.data)[0], signal.SIGKILL)
    wait_until(lambda: postmaster.find_postmaster(mortal.data) is None)
    assert cluster_status(mortal) == "stopped"
    assert ensure_running(mortal) is True
    assert not postmaster.belongs_to(backend, mortal.data)
    assert remembered(mortal) == ["acknowledged"]


@pytest.mark.unmeasured
def test_kill_of_every_process_five_times_loses_no_acknowledged_row(mortal):
    for number in range(5):
        ensure_running(mortal)
        keep(mortal, f"row {number}")
        for pid in postmaster.list_processes(mortal.data):
            postmaster.signal_process(pid, mortal.data, signal.SIGKILL, wait=10)
    ensure_running(mortal)
    assert remembered(mortal) == [f"row {number}" for number in range(5)]


@pytest.mark.unmeasured
@pytest.mark.slow
@pytest.mark.parametrize("victim", ["postmaster", "backend", "everything"])
def test_no_acknowledged_row_is_lost_by_kills_under_load(mortal, victim):
    ensure_running(mortal)
    keep(mortal, "first")
    acknowledged = {"first"}
    for number in range(5):
        writers = [Writer(mortal, f"{number}.{worker}") for worker in range(3)]
        wait_until(lambda writers=writers: all(len(writer.acknowledged) > 5 for writer in writers))
        for pid in victims(mortal, victim, writers):
            postmaster.signal_process(pid, mortal.data, signal.SIGKILL, wait=10)
        for writer in writers:
            writer.join(timeout=60)
            acknowledged |= writer.acknowledged
        ensure_running(mortal)
        wait_until(lambda: answers(mortal), 60)
    assert len(acknowledged) > 5 * 3 * 5
    assert acknowledged <= set(remembered(mortal))


class Writer(threading.Thread):
    """Inserts rows until its connection breaks and records the acknowledged ones."""

    def __init__(self, cluster, name):
        super().__init__(daemon=True)
        self.connection, self.label, self.acknowledged = connect(cluster, OWNER), name, set()
        self.start()

    def run(self):
        with contextlib.suppress(psycopg.Error):
            for number in itertools.count():
                self.connection.execute("INSERT INTO kept VALUES (%s)", [f"{self.label}.{number}"])
                self.acknowledged.add(f"{self.label}.{number}")


def victims(cluster, kind, writers):
    if kind == "backend":  # the postmaster answers by resetting all of them
        return [writers[0].connection.info.backend_pid]
    if kind == "postmaster":
        return [postmaster.find_postmaster(cluster.data)[0]]
    return postmaster.list_processes(cluster.data)


def answers(cluster):
    try:
        return remembered(cluster) is not None
    except psycopg.OperationalError:
        return False


def test_a_pid_file_that_names_a_foreign_process_neither_blocks_nor_kills_it(mortal):
    ensure_running(mortal)
    stop_cluster(mortal)
    foreign_process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        pidfile = mortal.data / "postmaster.pid"
        pidfile.write_text(f"{foreign_process.pid}\n{mortal.data}\n1\n5432\n\n\n\nready\n")
        assert cluster_status(mortal) == "stopped"
        assert stop_cluster(mortal) is False
        pidfile.write_text(f"{foreign_process.pid}\n{mortal.data}\n1\n5432\n\n\n\nready\n")
        assert ensure_running(mortal) is True
        assert foreign_process.poll() is None
    finally:
        foreign_process.kill()
        foreign_process.wait()


def test_a_first_start_killed_in_initdb_is_taken_up_again(mortal):
    draft = mortal.home / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    assert ensure_running(mortal) is True
    assert not draft.exists()


def test_stop_leaves_no_process(mortal):
    ensure_running(mortal)
    assert stop_cluster(mortal) is True
    assert postmaster.list_processes(mortal.data) == []
    assert cluster_status(mortal) == "stopped"


def test_the_last_holder_stops_the_server(mortal):
    with hold_cluster(mortal):
        with hold_cluster(mortal):
            ensure_running(mortal)
        assert cluster_status(mortal) == "ready"
    assert cluster_status(mortal) == "stopped"


def test_a_long_path_gets_a_short_socket(mortal):
    deep = Cluster(mortal.home / ("x" * 60) / ("y" * 60), "trial")
    try:
        ensure_running(deep)
        assert superuser_value(deep, "SELECT 1") == "1"
        assert stat.S_IMODE(deep.socket_dir.stat().st_mode) == 0o700
    finally:
        destroy_cluster(deep)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a server user apart")
def test_a_hidden_home_puts_the_data_where_the_server_user_reaches_it(mortal):
    mortal.home.parent.chmod(0o700)
    ensure_running(mortal)
    assert mortal.data.is_relative_to(binaries.SYSTEM_HOME)
    assert stat.S_IMODE(mortal.home.parent.stat().st_mode) == 0o700
    assert mortal.data.stat().st_uid == binaries.server_uid()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a server user apart")
def test_hidden_programs_are_copied_with_their_libraries(mortal, monkeypatch):
    package = Path(binaries.binary_path("postgres")).parents[2]
    hidden, system = mortal.home.parent / "hidden", mortal.home.parent / "system"
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, hidden / part.name, ignore=shutil.ignore_patterns("pginstall"))
    hidden.chmod(0o700)
    monkeypatch.syspath_prepend(hidden)
    monkeypatch.setattr(binaries, "SYSTEM_HOME", system)
    try:
        assert binaries.binary_path("postgres").startswith(str(system))
        assert binaries.run_program([binaries.binary_path("psql"), "--version"], "psql").startswith("psql")
    finally:
        shutil.rmtree(hidden)
        shutil.rmtree(system)


def test_secrets_and_data_are_private(cluster):
    assert stat.S_IMODE(cluster.password_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(cluster.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(cluster.socket_dir.stat().st_mode) == 0o700


# --- logins ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", roles.LOGINS)
def test_each_login_needs_its_own_password(cluster, login):
    with connect(cluster, login) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (login,)
    other = connection_settings(cluster, OWNER if login != OWNER else WEB)["PASSWORD"]
    for wrong in (other, "", "guess"):
        with pytest.raises(psycopg.OperationalError):
            connect(cluster, login, password=wrong)


def test_trust_authentication_is_disabled(cluster):
    methods = superuser_value(cluster, "SELECT DISTINCT auth_method FROM pg_hba_file_rules ORDER BY 1")
    assert methods.split() == ["peer", "reject", "scram-sha-256"]
    assert superuser_value(cluster, "SHOW listen_addresses") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="a plain user owns the server and is its superuser")
def test_root_itself_is_not_the_superuser(cluster):
    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        connect(cluster, SUPERUSER, password="")


@pytest.mark.parametrize("role", roles.ROLES)
def test_a_hat_cannot_log_in(cluster, role):
    with pytest.raises(psycopg.OperationalError):
        connect(cluster, role, password="guess")


def test_stored_passwords_are_scram_verifiers(cluster):
    stored = superuser_value(
        cluster, "SELECT rolname || ' ' || rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL"
    )
    names = [line.split()[0] for line in stored.splitlines() if " SCRAM-SHA-256$4096:" in line]
    assert sorted(names) == sorted(roles.LOGINS)


def test_a_password_is_printable_ascii_and_never_stored_clear():
    salt = b"0123456789abcdef"
    made = roles.scram_verifier("pencil", salt=salt)
    assert made.startswith("SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$")
    with pytest.raises(ValueError, match="ASCII"):
        roles.scram_verifier("pässword")


def test_every_commit_is_durable(cluster):
    values = superuser_value(
        cluster,
        "SELECT string_agg(setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN"
        " ('fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums')",
    )
    assert values == "on on on on"


def test_the_log_keeps_no_statement_and_no_value(cluster):
    with connect(cluster, OWNER) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS shy (secret text UNIQUE)")
        connection.execute("INSERT INTO shy VALUES ('hunter2')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO shy VALUES ('hunter2')")
    logs = "".join(path.read_text() for path in (cluster.data / "log").iterdir())
    assert "duplicate key" in logs
    assert "hunter2" not in logs


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
