"""PgBouncer in front of the test database: transaction pooling over few connections."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.postgres.binaries import server_user
from config.postgres.logins import OWNER, PLATFORM, TENANT, WEB
from config.testing.database import connection_parameters
from config.testing.web_server import database_url

PORT = 6432  # only part of the socket's file name
POOL_SIZE = 3
INSTALL_SECONDS = 300
START_SECONDS = 10
CONFIGURATION = """[databases]
{database} = host={host} port={port} dbname={database}
[pgbouncer]
listen_addr =
listen_port = {listen_port}
unix_socket_dir = {folder}
unix_socket_mode = 0700
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 300
ignore_startup_parameters = extra_float_digits
logfile = {folder}/log
pidfile = {folder}/pid
"""


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer."""

    folder: Path
    parameters: dict[str, Any]

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that connect a program through the pooler."""
        pooled = {"host": str(self.folder), "port": PORT}
        return {
            "DATABASE_URL": database_url(self.parameters | pooled),
            "DATABASE_TENANT_URL": database_url(connection_parameters(TENANT) | pooled),
            "DATABASE_PLATFORM_URL": database_url(connection_parameters(PLATFORM) | pooled),
            "DATABASE_OWNER_URL": database_url(connection_parameters(OWNER)),
        }

    def connect(self) -> psycopg.Connection[Any]:
        """Open a connection through the pooler."""
        fields = self.parameters | {"host": str(self.folder), "port": PORT}
        return psycopg.connect(**fields, autocommit=True)


def find_or_install_pgbouncer() -> str:
    """Return the path of PgBouncer; install it if missing, or skip the test."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    if found := shutil.which("pgbouncer", path=path):
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip("PgBouncer is not installed, and only root with apt-get can install it")
    # Debian starts a PgBouncer service without databases on installation unless policy-rc.d forbids it.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "pgbouncer"]):
        done = subprocess.run(
            command, env=quiet, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    if found := shutil.which("pgbouncer", path=path):
        return found
    pytest.skip(f"apt-get cannot install PgBouncer here: {done.stderr.strip()[-300:]}")


def _get_runner() -> pwd.struct_passwd:
    """Return the user that runs PgBouncer, which refuses root: that of the embedded server."""
    return server_user() or pwd.getpwuid(os.geteuid())


def _write_configuration(folder: Path, parameters: dict[str, Any]) -> None:
    logins = [connection_parameters(login) for login in (WEB, TENANT, PLATFORM)]
    texts = {
        "users.txt": "".join(f'"{each["user"]}" "{each["password"]}"\n' for each in logins),
        "pgbouncer.ini": CONFIGURATION.format(
            database=parameters["dbname"],
            host=parameters["host"],
            port=parameters["port"],
            listen_port=PORT,
            folder=folder,
            pool_size=POOL_SIZE,
        ),
    }
    runner = _get_runner()
    for name, text in texts.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        os.chown(path, runner.pw_uid, runner.pw_gid)
    os.chown(folder, runner.pw_uid, runner.pw_gid)


def _wait_until_ready(pooler: Pooler, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with pooler.connect():
                return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > end:
                log = pooler.folder / "log"
                said = log.read_text()[-1000:] if log.exists() else ""
                raise RuntimeError(f"PgBouncer did not start: {error}\n{said}") from error
            time.sleep(0.1)


@contextlib.contextmanager
def run_pgbouncer() -> Iterator[Pooler]:
    """Run PgBouncer for the logins of the web server on the test database."""
    program = find_or_install_pgbouncer()
    folder = Path(tempfile.mkdtemp(prefix="conclave-pool-"))
    pooler = Pooler(folder, connection_parameters(WEB))
    _write_configuration(folder, pooler.parameters)
    runner = _get_runner()
    identity: dict[str, Any] = (
        {"user": runner.pw_uid, "group": runner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    process = subprocess.Popen(
        [program, "-q", str(folder / "pgbouncer.ini")],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **identity,
    )
    try:
        _wait_until_ready(pooler, process)
        yield pooler
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)
