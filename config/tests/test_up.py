"""The supervisor of `bin/run`: child processes and complete runs."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from config.postgres import launch, postmaster, supervisor
from config.postgres.cluster import Cluster, connection_settings, destroy_cluster
from config.postgres.logins import OWNER
from config.postgres.supervisor import ChildProcess

SLEEPER = [sys.executable, "-c", "import time; time.sleep(300)"]
# A child with a helper process; both write their pid.
FAMILY = """
import subprocess, sys, os, time
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(os.getpid(), helper.pid, file=open(sys.argv[1] + ".new", "w"))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(300)
"""
SUPERVISOR = """
import sys, time
from config.postgres.supervisor import ChildProcess
ChildProcess("family", sys.argv[1:], dict()).start()
time.sleep(300)
"""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
    return value


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- children ----------------------------------------------------------------------------------------


def test_stopping_ends_a_child_and_its_helpers(tmp_path):
    child = ChildProcess("family", [sys.executable, "-c", FAMILY, str(tmp_path / "pids")], {})
    child.start()
    pids = wait_until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().split())
    supervisor.stop_processes([child], seconds=5)
    wait_until(lambda: not any(alive(pid) for pid in pids), 2)


def test_a_child_that_ignores_the_request_is_ended_by_force():
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
    child = ChildProcess("stubborn", [sys.executable, "-c", stubborn], {})
    child.start()
    time.sleep(0.5)
    began = time.monotonic()
    supervisor.stop_processes([child], seconds=1)
    assert child.process.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 5


def test_a_dead_child_starts_again_after_a_pause():
    said = []
    child = ChildProcess("sleeper", SLEEPER, {})
    supervisor.keep_alive(child, said.append)
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    wait_until(child.exited)
    supervisor.keep_alive(child, said.append)
    assert child.process is None
    assert said == ["sleeper exited with code -9; restarting in 1 s"]
    wait_until(lambda: supervisor.keep_alive(child, said.append) or child.process)
    assert child.process.pid != first
    child.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_killed_supervisor_takes_its_child_along(tmp_path):
    command = [
        sys.executable,
        "-c",
        "import sys, os; open(sys.argv[1], 'w').write(str(os.getpid()));import time; time.sleep(300)",
        str(tmp_path / "pid"),
    ]
    boss = subprocess.Popen([sys.executable, "-c", SUPERVISOR, *command], cwd=launch.BASE_DIR)
    pid = wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    boss.kill()
    boss.wait()
    wait_until(lambda: not alive(pid))


# --- arguments and refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize("port", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(monkeypatch, port, capsys):
    monkeypatch.setenv("PORT", port)
    assert launch.main() == 1
    assert "PORT must be a number" in capsys.readouterr().out


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = up(tmp_path, taken.getsockname()[1], wait=True)
    assert done.returncode == 1
    assert "set PORT to a free one" in done.stdout
    assert not (tmp_path / "postgres" / "data").exists()


@pytest.fixture
def launch_plan(tmp_path):
    (tmp_path / "demo.json").write_text(
        '{"email": "a@b.example", "password": "pw-1", "api_key": "KEY", "agent": "guide", "url": "x"}'
    )
    return launch.LaunchPlan("0.0.0.0", 8001, True, tmp_path, None)


def test_the_greeting_names_everything_one_needs(launch_plan, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    text = launch.format_greeting(launch_plan)
    assert "http://127.0.0.1:8001/console/" in text
    assert "a@b.example  pw-1" in text
    assert "curl -s http://127.0.0.1:8001/api/v1/conversations/ -H 'Authorization: Bearer KEY'" in text
    assert '{"agent": "guide", "message": "How does Conclave isolate tenants?"}' in text


@pytest.mark.security("local exposure")
def test_credentials_are_printed_to_a_terminal_only(launch_plan, attacks, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    text = launch.format_greeting(launch_plan)
    for secret in ("pw-1", "KEY"):
        attacks.attempt(secret, succeeded=secret in text)
    assert str(launch_plan.var / "demo.json") in text


@pytest.mark.security("local exposure", mutation=True)
def test_a_log_taken_for_a_terminal_shows_credentials(launch_plan, attacks, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    attacks.attempt("KEY", succeeded="KEY" in launch.format_greeting(launch_plan))


def test_children_choose_their_login_themselves(monkeypatch, tmp_path):
    monkeypatch.setenv("CONCLAVE_LOGIN", "conclave_owner")
    assert "CONCLAVE_LOGIN" not in launch.LaunchPlan("127.0.0.1", 1, True, tmp_path, None).environment


def test_the_example_file_names_every_variable_that_is_read():
    read = re.compile(r"""\benv(?:iron)?(?:\.\w+)?[(\[]\s*f?"([A-Z][A-Z_]+)\"""")
    folders = ("config/settings", "config/db", "config/management/commands", "config")
    sources = [path for folder in folders for path in (launch.BASE_DIR / folder).glob("*.py")]
    sources.append(launch.BASE_DIR / "config/serving/__main__.py")
    names = {name for path in sources for name in read.findall(path.read_text())}
    documented = set(
        re.findall(r"^# ([A-Z_]+)=", (launch.BASE_DIR / ".env.example").read_text(), re.MULTILINE)
    )
    assert {"SECRET_KEY", "PORT", "CONCLAVE_VAR", "DATABASE_URL"} <= names
    assert names - documented == {"DO_NOT_TRACK"} & names


# --- complete ----------------------------------------------------------------------------------------------


SUPERVISORS: list[subprocess.Popen] = []  # those that `up` started during a test


@pytest.fixture(autouse=True)
def stop_supervisors():
    """Stop what a failed test leaves, because the next test uses the same folder."""
    yield
    while SUPERVISORS:
        process = SUPERVISORS.pop()
        process.terminate()  # does nothing if it has ended
        process.wait(timeout=30)


def up(var, port, *, wait=False):
    inherited = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    environment = {**inherited, "CONCLAVE_VAR": str(var), "CONCLAVE_DB": "conclave", "LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "config.postgres.launch", "--no-seed", "--port", str(port)]
    if wait:
        return subprocess.run(
            command,
            env=environment,
            cwd=launch.BASE_DIR,
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
        )
    log = (var / f"up-{time.monotonic_ns()}.log").open("w+")
    process = subprocess.Popen(
        # As after `&` in a shell script, where the program starts with SIGINT ignored.
        ["sh", "-c", 'trap "" INT; exec "$@"', "up", *command],
        env=environment,
        cwd=launch.BASE_DIR,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    SUPERVISORS.append(process)
    return process, log


def wait_ready(process, log, seconds=180):
    def said():
        text = Path(log.name).read_text()
        assert process.poll() is None, text[-3000:]
        return "ready after" in text

    began = time.monotonic()
    wait_until(said, seconds)
    return time.monotonic() - began


def family_of(pid):
    """Return all descendants of a process."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents.setdefault(int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]), []).append(
                    int(entry.name)
                )
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = list(parents.get(pid, []))
    for child in found:
        found += parents.get(child, [])
    return found


def used_seconds(pid):
    """Return the CPU seconds of a process, its descendants, and those of them that have ended."""
    ticks = 0
    for member in [pid, *family_of(pid)]:
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return ticks / os.sysconf("SC_CLK_TCK")


def answers(port, path="/readyz"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


class Installation(NamedTuple):
    folder: Path
    cluster: Cluster
    port: int
    first_start: float  # CPU seconds until it was ready


@pytest.fixture(scope="module")
def home():
    """An installation that was started once."""
    folder = Path(tempfile.mkdtemp(prefix="conclave-test-"))
    folder.chmod(0o755)
    cluster, port = Cluster(folder / "postgres"), free_port()
    process, log = up(folder, port)
    wait_ready(process, log)
    first_start = used_seconds(process.pid)
    stop(process, cluster)
    yield Installation(folder, cluster, port, first_start)
    destroy_cluster(cluster)
    shutil.rmtree(folder)


def stop(process, cluster, number=signal.SIGTERM):
    """Stop `up` and check that no process remains."""
    members = family_of(process.pid)
    assert members
    process.send_signal(number)
    assert process.wait(timeout=12) == 0
    wait_until(lambda: not [pid for pid in members if alive(pid)], 2)
    assert postmaster.list_processes(cluster.data) == []


@pytest.mark.slow
def test_up_recovers_database_and_web_server(home):
    folder, cluster, port, _ = home
    process, log = up(folder, port)
    wait_ready(process, log)
    os.kill(postmaster.find_postmaster(cluster.data)[0], signal.SIGKILL)
    wait_until(lambda: "database: recovered" in Path(log.name).read_text(), 60)
    wait_until(lambda: answers(port), 30)
    os.kill(process_named(process.pid, b"config.serving"), signal.SIGKILL)
    wait_until(lambda: not answers(port), 10)
    wait_until(lambda: answers(port), 60)
    stop(process, cluster)


def process_named(ancestor, word):
    return next(pid for pid in family_of(ancestor) if word in Path(f"/proc/{pid}/cmdline").read_bytes())


@pytest.mark.slow
def test_a_second_up_of_the_same_folder_is_refused(home):
    folder, cluster, port, _ = home
    process, log = up(folder, port)
    wait_until(lambda: "database:" in Path(log.name).read_text())
    second = up(folder, free_port(), wait=True)
    assert second.returncode == 1
    assert f"already runs from this folder: process {process.pid}" in second.stdout
    wait_ready(process, log)
    stop(process, cluster)


@pytest.mark.slow
def test_a_second_start_is_quick_and_interrupt_stops_it(home):
    folder, cluster, port, _ = home
    process, log = up(folder, port)
    wait_ready(process, log)
    assert "schema: up to date" in Path(log.name).read_text()
    assert used_seconds(process.pid) < home.first_start / 2  # 0.3 of it on two cores
    stop(process, cluster, signal.SIGINT)


@pytest.mark.slow
def test_a_killed_supervisor_leaves_only_the_database_which_the_next_one_takes_over(home):
    folder, cluster, port, _ = home
    process, log = up(folder, port)
    wait_ready(process, log)
    members = family_of(process.pid)
    process.kill()
    process.wait()
    wait_until(lambda: not [pid for pid in members if alive(pid)])
    for pid in postmaster.list_processes(cluster.data):  # and now everything else too
        postmaster.signal_process(pid, cluster.data, signal.SIGKILL, wait=10)
    process, log = up(folder, port)
    wait_ready(process, log)
    fields = connection_settings(cluster, OWNER)
    with psycopg.connect(
        dbname=fields["NAME"], user=fields["USER"], password=fields["PASSWORD"], host=fields["HOST"]
    ) as connection:
        assert connection.execute("SELECT count(*) > 20 FROM django_migrations").fetchone() == (True,)
    stop(process, cluster)
