"""Keeping a handful of child processes alive, and ending every one of them.

A child gets a session of its own, so that Ctrl-C reaches the supervisor alone and a whole group can be ended;
on Linux the kernel kills it with its supervisor, however that dies.
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
    """Ask the kernel to kill this process when the thread that made it ends; exit if `parent` is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


@dataclass
class Child:
    """One supervised program; `name` is what messages call it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    retry_at: float = field(default=0.0)

    def start(self) -> None:
        """Start the program in a session of its own."""
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
        """Whether the program has ended; what is left of its group is killed before the id can be reused."""
        if self.process is None:
            return True
        if self.process.returncode is None:
            # WNOWAIT keeps the zombie, and with it the group's id, until the group has been killed.
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
        """Ask the program, not its helpers, to end; it ends those itself."""
        if self.process is not None and not self.exited():
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the program and its helpers at once."""
        if self.process is not None and not self.exited():
            self._signal(signal.SIGKILL)
            self.process.wait()


def keep_alive(child: Child, say: Callable[[str], None]) -> None:
    """Start `child` again when it has ended, ever later if it keeps ending; to be called every second."""
    now = time.monotonic()
    if child.process is not None:
        if not child.exited():
            return
        if now - child.started > STEADY_SECONDS:
            child.failures = 0
        wait = BACKOFF_SECONDS[min(child.failures, len(BACKOFF_SECONDS) - 1)]
        say(f"{child.name} ended with code {child.process.returncode}; starting it again in {wait} s")
        child.failures, child.retry_at, child.process = child.failures + 1, now + wait, None
    elif now >= child.retry_at:
        child.start()


def stop_all(children: Sequence[Child], *, seconds: float = 9) -> None:
    """End all children together: politely, and by force what is left after `seconds`."""
    for child in children:
        child.terminate()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not all(child.exited() for child in children):
        time.sleep(0.05)
    for child in children:
        child.kill()
