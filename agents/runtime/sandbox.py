"""Sandboxed commands of local MCP servers, started by `config.sandbox.launcher`.

Requires Linux. On other systems and where processes cannot be isolated, the command is refused unless
`settings.MCP_UNSANDBOXED` is set.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings

from config.sandbox import launcher

LAUNCHER = Path(launcher.__file__)
PATH = "/usr/local/bin:/usr/bin:/bin"


class SandboxError(RuntimeError):
    """Raised when a command must not be run; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """Resource limits per process, and the maximum number of processes."""

    memory_mb: int = 512
    cpu_seconds: int = 30
    processes: int = 32
    disk_mb: int = 64


def sandbox_command(
    command: str, env: Mapping[str, str], bounds: ResourceLimits
) -> tuple[list[str], dict[str, str]]:
    """Return arguments and environment of a process that runs `command` in the sandbox.

    Args:
        command: program and arguments in shell syntax.
        env: the command's environment in addition to PATH, HOME and LANG.

    Raises:
        SandboxError: if there is no sandbox or the program has no absolute path.
    """
    words = shlex.split(command)
    if not words or not Path(words[0]).is_absolute():
        raise SandboxError("The command must start with the absolute path of a program.")
    environment = {"PATH": PATH, "HOME": "/tmp", "LANG": "C.UTF-8", **env}  # noqa: S108 (the sandbox's own)
    if not sys.platform.startswith("linux"):
        if settings.MCP_UNSANDBOXED:
            return words, environment
        raise SandboxError("Local MCP servers run in a sandbox, which requires Linux.")
    if settings.MCP_UNSANDBOXED:
        return words, environment
    spec = {
        "command": words,
        "env": environment,
        "read": [str(Path(path).resolve()) for path in settings.MCP_SANDBOX_READ],
        "parent": os.getpid(),
        **asdict(bounds),
    }
    return [sys.executable, "-I", "-S", str(LAUNCHER)], {"CONCLAVE_SANDBOX": json.dumps(spec)}
