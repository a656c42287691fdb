"""Find and signal the processes of a PostgreSQL data directory.

A pid file is not proof: after a crash the pid may belong to another process. A process belongs to the server if its
working directory is the data directory (PostgreSQL changes into it) and its executable is `postgres`.
"""

import os
import select
import signal
import subprocess
import time
from pathlib import Path

PROC = Path("/proc")


def belongs_to(pid: int, data: Path) -> bool:
    """Return whether `pid` is a live PostgreSQL process of the data directory `data`."""
    if not PROC.is_dir():
        return _belongs_by_ps(pid, data)
    try:
        cwd = str((PROC / str(pid) / "cwd").readlink())
        program = str((PROC / str(pid) / "exe").readlink())
    except OSError:
        return False
    # The kernel appends " (deleted)" if the wheel was reinstalled while the server runs.
    return cwd == str(data.resolve()) and Path(program.removesuffix(" (deleted)")).name == "postgres"


def _belongs_by_ps(pid: int, data: Path) -> bool:
    shown = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "postgres" in shown.stdout and str(data) in shown.stdout


def read_pidfile(data: Path) -> tuple[int, str] | None:
    """Return pid and state (`ready`, `starting`, `stopping`, ...) from postmaster.pid, unverified."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
    except (OSError, ValueError, IndexError):
        return None


def find_postmaster(data: Path) -> tuple[int, str] | None:
    """Return the verified pid and state of the live postmaster of `data`, or None."""
    named = read_pidfile(data)
    return named if named and belongs_to(named[0], data) else None


def list_processes(data: Path) -> list[int]:
    """Return all live PostgreSQL processes of `data`, including orphaned backends (Linux only)."""
    if not PROC.is_dir():
        return []
    pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
    return [pid for pid in pids if belongs_to(pid, data)]


def signal_process(pid: int, data: Path, number: signal.Signals, *, wait: float) -> bool:
    """Signal `pid` if it belongs to `data` and return whether it exits within `wait` seconds.

    A pidfd pins the process between check and signal, so a reused pid is never signalled.
    """
    try:
        handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return True
    try:
        if not belongs_to(pid, data):
            return True
        if handle is None:
            os.kill(pid, number)
            return _wait_until_gone(pid, data, wait)
        signal.pidfd_send_signal(handle, number)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(wait * 1000))
    except ProcessLookupError:
        return True
    finally:
        if handle is not None:
            os.close(handle)


def _wait_until_gone(pid: int, data: Path, wait: float) -> bool:
    end = time.monotonic() + wait
    while time.monotonic() < end:
        if not belongs_to(pid, data):
            return True
        time.sleep(0.1)
    return False


def remove_orphans(data: Path, socket: Path) -> list[int]:
    """Kill orphaned backends of a dead postmaster and remove its stale lock files; return their pids.

    An orphan can wait forever for a lock of a dead backend. While it is attached to shared memory, every restart fails
    with "pre-existing shared memory block is still in use". A stale lock file also prevents a start if its pid is a
    zombie or was reused.
    """
    if find_postmaster(data):
        return []
    orphans = list_processes(data)
    for pid in orphans:
        signal_process(pid, data, signal.SIGKILL, wait=10)
    if not list_processes(data):
        for stale in (data / "postmaster.pid", socket, socket.with_name(f"{socket.name}.lock")):
            stale.unlink(missing_ok=True)
    return orphans
