"""Start and supervise all parts of Conclave on one machine.

Starts the database, migrates the schema, seeds the demo, and runs web server and worker. Each step is a separate
process and this one does not load Django, so a repeated start takes little longer than the web server's.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import environ

from config.postgres.binaries import EmbeddedError
from config.postgres.cluster import (
    BASE_DIR,
    Cluster,
    connection_settings,
    default_cluster,
    ensure_running,
    hold_cluster,
    is_usable,
    stop_cluster,
)
from config.postgres.logins import OWNER
from config.postgres.supervisor import ChildProcess, die_with_parent, keep_alive, stop_processes

READY_SECONDS = 120
GIVE_UP_AFTER = 3
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LaunchError(RuntimeError):
    """Conclave cannot start. The message says why and what to do."""


class StopSignal(BaseException):
    """SIGTERM, SIGINT or SIGHUP was received."""


@dataclass(frozen=True)
class LaunchPlan:
    """The configuration of one start."""

    host: str
    port: int
    seed: bool
    var: Path
    cluster: Cluster | None

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the child processes. Each chooses its database login."""
        inherited = {key: value for key, value in os.environ.items() if key != "CONCLAVE_LOGIN"}
        settings = os.environ.get("DJANGO_SETTINGS_MODULE") or "config.settings.local"
        own = {"HOST": self.host, "PORT": str(self.port), "DJANGO_SETTINGS_MODULE": settings}
        return {**inherited, **own, "PYTHONUNBUFFERED": "1"}


def print_status(message: str) -> None:
    """Print a status line to the terminal."""
    print(f"[conclave] {message}", flush=True)


def build_plan(*, host: str = "", port: int | None = None, seed: bool = True) -> LaunchPlan:
    """Build the configuration from arguments, environment and `.env`.

    Raises:
        LaunchError: PORT is not a valid port number.
    """
    if (BASE_DIR / ".env").is_file():
        environ.Env.read_env(str(BASE_DIR / ".env"), overwrite=False)
    number = str(port or os.environ.get("PORT") or 8000)
    if not (number.isdecimal() and 0 < int(number) < 65536):
        raise LaunchError(f"PORT must be a number from 1 to 65535, not {number!r}")
    return LaunchPlan(
        host=host or os.environ.get("HOST") or "127.0.0.1",
        port=int(number),
        seed=seed,
        var=Path(os.environ.get("CONCLAVE_VAR") or BASE_DIR / "var"),
        cluster=None if os.environ.get("DATABASE_URL") else default_cluster(),
    )


def bring_up(plan: LaunchPlan) -> None:
    """Run until SIGTERM or SIGINT, then stop all child processes.

    Raises:
        LaunchError, EmbeddedError: a step failed.
    """
    began = time.monotonic()
    with _handle_stop_signals(), _lock_instance(plan):
        _check_port(plan)
        with hold_cluster(plan.cluster) if plan.cluster else contextlib.nullcontext():
            try:
                _prepare(plan)
                _serve(plan, began)
            except StopSignal:
                print_status("stopping")


@contextlib.contextmanager
def _handle_stop_signals() -> Iterator[None]:
    def stop(*_: object) -> NoReturn:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # already stopping; nothing may interrupt that
        raise StopSignal

    for number in STOP_SIGNALS:
        # Respect an ignored SIGHUP (nohup), but not an ignored SIGINT, which a shell sets for `&` jobs.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    with contextlib.suppress(StopSignal):
        yield


@contextlib.contextmanager
def _lock_instance(plan: LaunchPlan) -> Iterator[None]:
    plan.var.mkdir(parents=True, exist_ok=True)
    with (plan.var / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise LaunchError(f"Conclave already runs from this folder: {lock.read().strip()}") from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {plan.url}")
        lock.flush()
        yield


def _check_port(plan: LaunchPlan) -> None:
    family = socket.AF_INET6 if ":" in plan.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((plan.host, plan.port))
        except OSError as error:
            raise LaunchError(
                f"cannot listen on {plan.host}:{plan.port} ({error.strerror}): set PORT to a free one"
            ) from error


# --- steps -----------------------------------------------------------------------------------------


def _prepare(plan: LaunchPlan) -> None:
    if plan.cluster:
        print_status("database: starting the embedded PostgreSQL")
        started = ensure_running(plan.cluster)
        print_status(f"database: {'started' if started else 'was running'}; roles and database are in place")
    else:
        print_status("database: external (DATABASE_URL); its roles come from `manage.py db_roles`")
    _migrate(plan)
    _collect_static(plan)
    if plan.seed:
        _seed(plan)


def _manage(plan: LaunchPlan, *arguments: str) -> None:
    parent = os.getpid()
    done = subprocess.run(
        [sys.executable, str(BASE_DIR / "manage.py"), *arguments],
        env=plan.environment,
        cwd=BASE_DIR,
        stdin=subprocess.DEVNULL,
        check=False,
        preexec_fn=lambda: die_with_parent(parent),
    )
    if done.returncode:
        raise LaunchError(f"`manage.py {' '.join(arguments)}` failed with code {done.returncode}")


def _migrate(plan: LaunchPlan) -> None:
    marker = plan.cluster.home / "migrated" if plan.cluster else None
    # The state includes the date, since `migrate` also creates the coming partitions.
    if plan.cluster and marker and marker.exists() and marker.read_text() == _schema_state(plan.cluster):
        print_status("schema: up to date")
        return
    print_status("schema: migrating")
    _manage(plan, "migrate", "--no-input", "--verbosity=1")
    if plan.cluster and marker:
        marker.write_text(_schema_state(plan.cluster))


def _schema_state(cluster: Cluster) -> str:
    """Return a digest of the migrations, the scope keys and the date."""
    import psycopg

    digest = hashlib.sha256(time.strftime("%Y-%m-%d", time.gmtime()).encode())
    for path in [*sorted(BASE_DIR.glob("*/migrations/*.py")), BASE_DIR / "requirements.txt"]:
        digest.update(path.read_bytes())
    keys = cluster.home.parent / "scope_keys"
    digest.update(
        (os.environ.get("CONCLAVE_SCOPE_KEYS") or (keys.read_text() if keys.exists() else "")).encode()
    )
    login = connection_settings(cluster, OWNER)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    with psycopg.connect(**{names[key]: value for key, value in login.items()}) as connection:
        try:
            applied = connection.execute("SELECT app, name FROM django_migrations ORDER BY 1, 2").fetchall()
        except psycopg.errors.UndefinedTable:
            applied = []
    return digest.hexdigest() + hashlib.sha256(repr(applied).encode()).hexdigest()


def _collect_static(plan: LaunchPlan) -> None:
    root = Path(os.environ.get("STATIC_ROOT") or BASE_DIR / "staticfiles")
    digest = hashlib.sha256((BASE_DIR / "requirements.txt").read_bytes())
    for path in sorted(BASE_DIR.glob("*/static/**/*")):
        digest.update(f"{path} {path.stat().st_mtime_ns}".encode())
    marker = root / ".collected"
    if marker.exists() and marker.read_text() == digest.hexdigest():
        return
    print_status("console: collecting static files")
    _manage(plan, "collectstatic", "--no-input", "--verbosity=0")
    marker.write_text(digest.hexdigest())


def _seed(plan: LaunchPlan) -> None:
    marker = plan.cluster.home / "seeded" if plan.cluster else None
    if marker and marker.exists() and read_demo_facts(plan).get("url") == plan.url:
        print_status("demo: in place")
        return
    print_status("demo: seeding")
    _manage(plan, "seed_demo", "--url", plan.url)
    if marker:
        marker.touch()


def read_demo_facts(plan: LaunchPlan) -> dict[str, Any]:
    """Return the demo's facts as `seed_demo` wrote them, or an empty dict."""
    try:
        found: dict[str, Any] = json.loads((plan.var / "demo.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


# --- serving ---------------------------------------------------------------------------------------


def _serve(plan: LaunchPlan, began: float) -> None:
    web = ChildProcess("web server", [sys.executable, "-m", "config.serving"], plan.environment)
    worker = ChildProcess("worker", [sys.executable, str(BASE_DIR / "manage.py"), "worker"], plan.environment)
    children = [web, worker]
    try:
        print_status("starting web server and worker")
        for child in children:
            child.start()
        _wait_ready(plan, children)
        print_status(f"ready after {time.monotonic() - began:.1f} s\n{format_greeting(plan)}")
        while True:
            time.sleep(1)
            _watch_database(plan)
            for child in children:
                keep_alive(child, print_status)
    finally:
        stop_processes(children)


def _watch_database(plan: LaunchPlan) -> None:
    if plan.cluster is None or is_usable(plan.cluster):
        return
    print_status("database: gone; recovering it")
    try:
        ensure_running(plan.cluster)
        print_status("database: recovered")
    except EmbeddedError as error:
        print_status(f"database: {error}")
        time.sleep(5)


def _wait_ready(plan: LaunchPlan, children: list[ChildProcess]) -> None:
    end = time.monotonic() + READY_SECONDS
    while not (answer := _probe_readiness(plan)).startswith("200"):
        for child in children:
            keep_alive(child, print_status)
            if child.failures >= GIVE_UP_AFTER:
                raise LaunchError(f"the {child.name} ends as soon as it starts; see its messages above")
        if time.monotonic() > end:
            raise LaunchError(f"{plan.url}/readyz did not answer 200 in {READY_SECONDS} s, but: {answer}")
        time.sleep(0.5)


def _probe_readiness(plan: LaunchPlan) -> str:
    # Imitate a reverse proxy: production accepts only ALLOWED_HOSTS and TLS.
    name = (os.environ.get("ALLOWED_HOSTS") or "localhost").split(",")[0].strip().lstrip(".*") or "localhost"
    headers = {"Host": name, "X-Forwarded-Proto": "https"}
    try:
        probe = urllib.request.Request(f"{plan.url}/readyz", headers=headers)  # noqa: S310 - our own URL
        with urllib.request.urlopen(probe, timeout=5) as answer:  # noqa: S310
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read(500).decode(errors='replace')}"
    except OSError as error:
        return str(error)


def format_greeting(plan: LaunchPlan) -> str:
    """Return the console's URL, the demo's sign-in and an example request.

    The credentials are shown in a terminal only.
    """
    lines = ["", f"  Console   {plan.url}/console/"]
    facts = read_demo_facts(plan)
    if facts and not sys.stdout.isatty():
        # Output that is not a terminal is often stored, for example by systemd or a container runtime.
        lines.append(f"  Sign in   see {plan.var / 'demo.json'}")
    elif facts:
        lines += [
            f"  Sign in   {facts['email']}  {facts['password']}",
            f"  API key   {facts['api_key']}",
            "",
            _format_curl(plan, facts),
        ]
    return "\n".join([*lines, "", "  Ctrl-C stops everything.", ""])


def _format_curl(plan: LaunchPlan, facts: dict[str, Any]) -> str:
    body = json.dumps({"agent": facts["agent"], "message": "How does Conclave isolate tenants?"})
    return (
        f"  curl -s {plan.url}/api/v1/conversations/ -H 'Authorization: Bearer {facts['api_key']}'"
        f" -H 'Content-Type: application/json' -d '{body}'"
    )


def stop_database() -> None:
    """Stop the embedded server if it is running."""
    cluster = default_cluster()
    stopped = cluster.home.exists() and stop_cluster(cluster)
    print_status("database: stopped" if stopped else "database: was not running")


def main(*, host: str = "", port: int | None = None, seed: bool = True, stop_db: bool = False) -> int:
    """Start everything, or stop the embedded server, and return the exit code."""
    try:
        stop_database() if stop_db else bring_up(build_plan(host=host, port=port, seed=seed))
    except (LaunchError, EmbeddedError) as error:
        print_status(f"cannot go on: {error}")
        return 1
    return 0


def add_arguments(parser: Any) -> None:
    """Add the options of `bin/run` and `manage.py up` to a parser."""
    parser.add_argument("--host", default="", help="Address to listen on. Default: HOST, or 127.0.0.1.")
    parser.add_argument("--port", type=int, help="Port to listen on. Default: PORT, or 8000.")
    parser.add_argument("--no-seed", dest="seed", action="store_false", help="Do not create the demo data.")
    parser.add_argument(
        "--stop-db", action="store_true", help="Stop the embedded PostgreSQL server and exit."
    )


if __name__ == "__main__":
    import argparse

    argument_parser = argparse.ArgumentParser(prog="up", description=__doc__)
    add_arguments(argument_parser)
    sys.exit(main(**vars(argument_parser.parse_args())))
