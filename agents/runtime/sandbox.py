"""Commands of MCP servers, run where they can do no harm (`agents.runtime.launcher` does it).

Needs Linux. Where the machine cannot isolate a process, or is another system, the command is refused, unless
`settings.MCP_UNSANDBOXED` says that it may run all the same.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings

LAUNCHER = Path(__file__).with_name("launcher.py")
PATH = "/usr/local/bin:/usr/bin:/bin"


class SandboxRefused(RuntimeError):
    """The command will not be run; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What each process of a command may use, and how many processes there may be."""

    memory_mb: int = 512
    cpu_seconds: int = 30
    processes: int = 32
    disk_mb: int = 64


def sandboxed(command: str, env: Mapping[str, str], bounds: Bounds) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment of a process that runs `command` (words as a shell splits them) in the sandbox.

    Args:
        env: all that the command finds in its environment beside PATH, HOME and LANG.

    Raises:
        SandboxRefused: where there is no sandbox, and for a command without an absolute path.
    """
    words = shlex.split(command)
    if not words or not Path(words[0]).is_absolute():
        raise SandboxRefused("The command must begin with the absolute path of a program.")
    given = {"PATH": PATH, "HOME": "/tmp", "LANG": "C.UTF-8", **env}  # noqa: S108 (the sandbox's own)
    if not sys.platform.startswith("linux"):
        if settings.MCP_UNSANDBOXED:
            return words, given
        raise SandboxRefused("MCP servers are run in a sandbox, which needs Linux.")
    if settings.MCP_UNSANDBOXED:
        return words, given
    spec = {
        "command": words,
        "env": given,
        "read": [str(Path(path).resolve()) for path in settings.MCP_SANDBOX_READ],
        "parent": os.getpid(),
        **asdict(bounds),
    }
    return [sys.executable, "-I", "-S", str(LAUNCHER)], {"CONCLAVE_SANDBOX": json.dumps(spec)}
