"""Sandboxed commands cannot escape; each attempt succeeds without the sandbox (the control)."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from agents.runtime.sandbox import ResourceLimits, SandboxError, sandbox_command
from agents.tests import escapes

SCRIPT = Path(escapes.__file__).resolve()
WAYS = [name for name, each in vars(escapes).items() if getattr(each, "__module__", "") == escapes.__name__]
BOUNDS = ResourceLimits(memory_mb=512, cpu_seconds=2, processes=24, disk_mb=32)
# Attempts without a control: unsafe outside the sandbox, or dependent on the machine.
UNCONTROLLED = {
    "read_first_process_memory": "would open the memory of the machine's first process",
    "read_environment_of_first_process": "the same, its environment",
    "read_secret_through_first_process": "depends on what the first process sees",
    "join_namespace_of_first_process": "depends on the machine",
    "new_namespace_to_remount": "depends on the machine",
    "remount_writable": "nothing is mounted there without a sandbox",
    "change_root": "would change the root of what the control runs",
    "outlive": "has a separate test",
    "make_device": "some containers forbid it",
    "packet_socket": "some containers forbid it",
    "raw_socket": "some containers forbid it",
    "mount_something": "some containers forbid it",
    "read_kernel_log": "some machines have none",
    "read_devices": "some machines have none",
    "write_kernel_settings": "some containers forbid it",
    "trigger_kernel": "some containers forbid it",
    "fork_bomb": "no limit applies to root",
    "raise_limits": "depends on the caller's own limits",
    "go_first": "some containers forbid it",
    "join_namespace_of_process": "some containers forbid it",
    "socket_of_virtual_machines": "some machines have none",
    "keep_a_key": "some containers forbid it",
    "ring_of_system_calls": "some machines forbid it",
    "fault_handler": "some machines forbid it",
    "new_person_namespace": "some machines forbid it",
    "new_person_namespace_by_clone": "some machines forbid it",
    "trace_process": "some machines forbid it",
}


def can_isolate():
    argv, env = sandbox_command("/bin/true", {}, BOUNDS)
    return subprocess.run(argv, env=env, capture_output=True, check=False, timeout=30).returncode == 0


@pytest.fixture
def sandbox(settings):
    settings.MCP_SANDBOX_READ = [sys.prefix, sys.base_prefix, str(SCRIPT.parent)]
    if not sys.platform.startswith("linux") or not can_isolate():
        pytest.skip("this machine cannot isolate processes")
    return settings.MCP_SANDBOX_READ


def run(argv, env, **options):
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60, **options)


def inside(name, arguments, **options):
    """The probe in the sandbox."""
    words = [sys.executable, "-I", str(SCRIPT), name, json.dumps(arguments)]
    argv, env = sandbox_command(shlex.join(words), {}, BOUNDS)
    return run(argv, {**env, "SECRET_OF_TEST": "s"}, **options)


def outside(name, arguments, **options):
    """The probe without a sandbox."""
    words = [sys.executable, "-I", str(SCRIPT), name, json.dumps(arguments)]
    return run(words, {"PATH": "/usr/bin:/bin", "SECRET_OF_TEST": "s"}, **options)


@pytest.fixture
def files(sandbox, tmp_path):
    """Create files outside the sandbox: hidden ones, a visible one, a root program, shared memory."""
    mark = uuid4().hex
    shown, folder, secret = tmp_path / "shown", tmp_path / "folder", tmp_path / "secret"
    for path in (shown, folder):
        path.mkdir()
        path.chmod(0o777)
    (shown / "file").write_text("x")
    shutil.copy("/usr/bin/id", shown / "id")
    (shown / "id").chmod(0o4755)
    shared = Path("/dev/shm") / mark
    for path in (secret, shared):
        path.write_text("the secret")
        path.chmod(0o666)
    sandbox.append(str(shown))
    found = {"shown": shown, "folder": folder, "secret": secret, "setuid": shown / "id", "shm": shared}
    yield {"mark": mark, "fill": f"/tmp/fill-{mark}"} | {name: str(path) for name, path in found.items()}
    for path in (shared, *Path("/tmp").glob(f"*-{mark}*")):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


@pytest.fixture
def targets(files):
    """Return the probe's targets: files, sockets, a process and an open file outside the sandbox."""
    path = Path(f"/tmp/{files['mark'][:12]}.sock")
    listening = socket.create_server(("0.0.0.0", 0))
    unix, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    unix.bind(str(path))
    path.chmod(0o777)
    abstract.bind("\0" + files["mark"])
    for each in (unix, abstract):
        each.listen()
    dummy = subprocess.Popen(["/bin/sleep", "120"], start_new_session=True)
    fd = os.open(files["secret"], os.O_RDONLY)
    port = listening.getsockname()[1]
    yield files | {"port": port, "address": "127.0.0.3", "unix": str(path), "dummy": dummy.pid, "fd": fd}
    dummy.kill()
    dummy.wait()
    os.close(fd)
    for each in (listening, unix, abstract):
        each.close()
    path.unlink()


def test_number_of_escape_attempts():
    assert len(WAYS) >= 45
    assert set(UNCONTROLLED) <= set(WAYS)


@pytest.mark.security("sandbox escape")
@pytest.mark.parametrize("way", WAYS)
def test_no_escape_from_the_sandbox_succeeds(way, targets, attacks):
    result = inside(way, targets, pass_fds=[targets["fd"]])
    attacks.attempt(succeeded="ESCAPED" in result.stdout)
    assert result.returncode != 0
    assert "sandbox:" not in result.stderr


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="as a plain person most ways are closed anyway"
)
@pytest.mark.security("sandbox escape", mutation=True)
@pytest.mark.parametrize("way", [way for way in WAYS if way not in UNCONTROLLED])
def test_escape_succeeds_without_the_sandbox(way, targets, attacks):
    result = outside(way, targets, pass_fds=[targets["fd"]])
    attacks.attempt(succeeded=result.stdout == "ESCAPED\n")
    assert result.stdout == "ESCAPED\n", result.stderr


def left_behind(mark):
    time.sleep(0.5)
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_no_process_outlives_the_sandbox(targets):
    outside("outlive", targets)
    (control,) = left_behind(targets["mark"])
    os.kill(control, 9)
    inside("outlive", targets)
    assert left_behind(targets["mark"]) == []


def test_no_process_outlives_a_killed_launcher(sandbox):
    mark = uuid4().hex
    words = [sys.executable, "-I", "-c", "import time; print(1, flush=True); time.sleep(30)", mark]
    argv, env = sandbox_command(shlex.join(words), {}, BOUNDS)
    process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"1\n"
    assert len(left_behind(mark)) == 1
    process.kill()
    process.wait()
    process.stdout.close()
    assert left_behind(mark) == []


def test_command_runs_and_returns_its_exit_code(sandbox):
    argv, env = sandbox_command("/bin/sh -c 'echo $GIVEN; id -u; pwd; exit 3'", {"GIVEN": "value"}, BOUNDS)
    result = run(argv, env)
    given, uid, folder = result.stdout.split()
    assert (given, folder, result.returncode) == ("value", "/tmp", 3)
    assert os.geteuid() != 0 or int(uid) >= 2_000_000


def test_unprivileged_user_has_a_sandbox(sandbox, tmp_path):
    """Callers that are not root get a user namespace."""
    if os.geteuid() == 0 and not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("needs a Python interpreter that all users can run")
    argv, env = sandbox_command("/bin/cat /etc/shadow /etc/passwd", {}, BOUNDS)
    if os.geteuid() == 0:
        launcher = tmp_path / "launcher.py"
        shutil.copy(argv[-1], launcher)
        launcher.chmod(0o644)
        for parent in (tmp_path, *tmp_path.parents[:-2]):
            parent.chmod(parent.stat().st_mode | 0o055)
        argv = ["/usr/bin/python3", "-I", "-S", str(launcher)]
        result = run(argv, env, user=65534, group=65534, extra_groups=[])
    else:
        result = run(argv, env)
    assert result.stderr.count("No such file or directory") == 2


def test_commands_are_absolute_and_other_systems_refused(settings, monkeypatch):
    for command in ("python x.py", "", "./server"):
        with pytest.raises(SandboxError):
            sandbox_command(command, {}, BOUNDS)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="Linux"):
        sandbox_command("/bin/true", {}, BOUNDS)
    settings.MCP_UNSANDBOXED = True
    assert sandbox_command("/bin/true", {"A": "b"}, BOUNDS)[0] == ["/bin/true"]
