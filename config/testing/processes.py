"""Find, measure and stop processes, based on /proc. Does not import Django."""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STOP_SECONDS = 15


def free_port() -> int:
    """Return a free TCP port on the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def list_children(parent: int) -> list[int]:
    """Return the ids of a process's children."""
    children = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if (
                entry.name.isdigit()
                and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent
            ):
                children.append(int(entry.name))
    return children


def list_descendants(ancestor: int) -> list[int]:
    """Return the ids of all descendants of a process."""
    found = list_children(ancestor)
    for child in found:
        found += list_children(child)
    return found


def list_web_workers(server: int) -> list[int]:
    """Return the worker processes of a web server, which are its leaf processes."""
    leaves = [pid for pid in list_descendants(server) if not list_children(pid)]
    return [pid for pid in leaves if b"resource_tracker" not in get_command_line(pid)]


def get_command_line(pid: int) -> bytes:
    """Return the command line of a process; empty if it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


# A fork has the memory size of its parent until it runs another program, hence a small parent.
_MEASURE_SCRIPT = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"code": done.returncode, "said": done.stdout.decode(), "kilobytes": peak}))
"""


def run_measured(command: list[str], **options: Any) -> tuple[int, str, int]:
    """Run `command` and return exit code, output and peak memory in kilobytes."""
    small = [sys.executable, "-I", "-S", "-c", _MEASURE_SCRIPT, *command]
    found = json.loads(subprocess.run(small, stdout=subprocess.PIPE, check=True, **options).stdout)
    return found["code"], found["said"], found["kilobytes"]


@contextlib.contextmanager
def terminate_after(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Terminate `process` after the block; kill it if it does not stop in time."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
