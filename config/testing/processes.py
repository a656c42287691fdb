"""Processes of our own under test or measurement: who they are, from /proc, and how they end. No Django here."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

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
