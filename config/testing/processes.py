"""Processes of our own under test or measurement: who they are, from /proc, and how they end. No Django here."""

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
    """A TCP port of the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children_of(parent: int) -> list[int]:
    """The ids of a process's children, from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if (
                entry.name.isdigit()
                and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent
            ):
                found.append(int(entry.name))
    return found


def descendants_of(ancestor: int) -> list[int]:
    """The ids of a process's children, their children and so on."""
    found = children_of(ancestor)
    for child in found:
        found += children_of(child)
    return found


def web_workers(server: int) -> list[int]:
    """The processes of a web server that answer requests: however they are started, they are its leaves."""
    leaves = [pid for pid in descendants_of(server) if not children_of(pid)]
    return [pid for pid in leaves if b"resource_tracker" not in command_of(pid)]


def command_of(pid: int) -> bytes:
    """The command line of a process; empty when it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


# A fork counts as large as its parent until it runs another program, hence a small parent.
_MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"code": done.returncode, "said": done.stdout.decode(), "kilobytes": peak}))
"""


def measured(command: list[str], **options: Any) -> tuple[int, str, int]:
    """Exit code, output and peak memory in kilobytes of `command`, or of the largest process that it waited for."""
    small = [sys.executable, "-I", "-S", "-c", _MEASURE, *command]
    found = json.loads(subprocess.run(small, stdout=subprocess.PIPE, check=True, **options).stdout)
    return found["code"], found["said"], found["kilobytes"]


@contextlib.contextmanager
def stopping(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End `process` after the block: politely, and by force when it does not listen."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
