"""Supervise a few child processes: restart them when they exit, and stop them all.

Each child runs in a new session, so that Ctrl-C reaches only the supervisor and the whole process group can be killed.
On Linux the kernel kills children when the supervisor dies.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

PR_SET_PDEATHSIG = 1
BACKOFF_SECONDS = (1, 2, 4, 8, 15, 30)
STEADY_SECONDS = 60


def die_with_parent(parent: int) -> None:
    """Make the kernel kill this process when its parent thread ends; exit if `parent` is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


@dataclass
class ChildProcess:
    """A supervised process. `name` is used in messages."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    retry_at: float = field(default=0.0)

    def start(self) -> None:
        """Start the process in a new session."""
        parent = os.getpid()
        self.process = subprocess.Popen(
            self.command,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - the supervisor has one thread
        )
        self.started = time.monotonic()

    def exited(self) -> bool:
        """Return whether the process has exited, and kill the rest of its group if so."""
        if self.process is None:
            return True
        if self.process.returncode is None:
            # WNOWAIT keeps the zombie, so the group's id cannot be reused before the group is killed.
            if os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return False
            self._signal(signal.SIGKILL)
            self.process.wait()
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            try:
                os.killpg(self.process.pid, number)
            except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
                self.process.send_signal(number)

    def terminate(self) -> None:
        """Send SIGTERM to the process, which stops its own children."""
        if self.process is not None and not self.exited():
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process and its group."""
        if self.process is not None and not self.exited():
            self._signal(signal.SIGKILL)
            self.process.wait()


def keep_alive(child: ChildProcess, say: Callable[[str], None]) -> None:
    """Restart `child` if it has exited, with increasing delay. Call this every second."""
    now = time.monotonic()
    if child.process is not None:
        if not child.exited():
            return
        if now - child.started > STEADY_SECONDS:
            child.failures = 0
        wait = BACKOFF_SECONDS[min(child.failures, len(BACKOFF_SECONDS) - 1)]
        say(f"{child.name} exited with code {child.process.returncode}; restarting in {wait} s")
        child.failures, child.retry_at, child.process = child.failures + 1, now + wait, None
    elif now >= child.retry_at:
        child.start()


def stop_processes(children: Sequence[ChildProcess], *, seconds: float = 9) -> None:
    """Terminate all children in parallel, and kill those that remain after `seconds`."""
    for child in children:
        child.terminate()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not all(child.exited() for child in children):
        time.sleep(0.05)
    for child in children:
        child.kill()
