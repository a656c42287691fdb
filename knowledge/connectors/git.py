"""Files of a local Git repository, read with Git's plumbing commands. A version is the hash of the blob.

The repository's configuration is data of its owner: Git runs without the network, hooks and global configuration.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from uuid import UUID

from django.conf import settings

from knowledge.connectors.base import (
    READ_SIZE,
    TIME_IS_OVER,
    ConnectorError,
    SourceItem,
    SyncContext,
    matches_paths,
)
from knowledge.connectors.configs import MAX_ITEMS, GitConfig
from knowledge.connectors.server_files import resolve_folder
from knowledge.parsing import is_supported_name

SECONDS = 60
MAX_LISTING_BYTES = 64 * 1024 * 1024
NO_GIT = "Git is not installed on the server."
OPTIONS = ("-c", "safe.directory=*", "-c", "protocol.allow=never", "-c", "core.fsmonitor=false")
REGULAR_MODES = frozenset({"100644", "100755"})


class GitSource:
    """Supported files of one commit of a repository below the tenant's server folder."""

    follows_deletions = True

    def __init__(self, config: GitConfig, context: SyncContext, tenant_id: UUID) -> None:
        self.config, self.context = config, context
        self.notice = ""
        self._folder = resolve_folder(tenant_id, config.path)

    def list_items(self) -> Iterator[SourceItem]:
        commit = self._run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{self.config.ref}^{{commit}}"
        )
        listing = self._run("ls-tree", "-r", "-z", "-l", "--full-tree", commit.decode().strip())
        size = self.config.max_megabytes * 1024**2
        count = 0
        for line in filter(None, listing.split(b"\0")):
            fields, _, path = line.partition(b"\t")
            mode, _, blob, length = fields.decode().split()
            source = os.fsdecode(path)
            if mode not in REGULAR_MODES or not is_wanted(source, int(length), self.config):
                continue
            count += 1
            known = self.context.known.get(source)
            size -= 0 if known and known.version == blob else int(length)
            if count > MAX_ITEMS or size < 0 or self.context.is_over():
                self.notice = TIME_IS_OVER if self.context.is_over() else "The repository is too large."
                return
            error = "The file is too large." if int(length) > settings.UPLOAD_MAX_BYTES else ""
            yield SourceItem(source, blob, PurePosixPath(source).name, handle=blob, error=error)

    def open_item(self, item: SourceItem) -> Iterator[bytes]:
        with self._start("cat-file", "blob", item.handle) as process:
            if process.stdout is None:
                raise ConnectorError(NO_GIT)
            while block := process.stdout.read(READ_SIZE):
                yield block
            if process.wait(SECONDS):
                raise ConnectorError("Git cannot read the file.")

    def _run(self, *command: str) -> bytes:
        """Return the output of a Git command.

        Raises:
            ConnectorError: It fails, takes too long or writes too much.
        """
        with self._start(*command) as process:
            try:
                output, _ = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise ConnectorError("Git did not respond in time.") from error
        if process.returncode:
            raise ConnectorError(f"The folder is not a Git repository with the commit {self.config.ref}.")
        if len(output) > MAX_LISTING_BYTES:
            raise ConnectorError("The repository is too large.")
        return output

    def _start(self, *command: str) -> "subprocess.Popen[bytes]":
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            # A folder inside a repository is not that repository.
            "GIT_CEILING_DIRECTORIES": str(self._folder.parent),
            "LC_ALL": "C",
        }
        try:
            return subprocess.Popen(
                ["git", "-C", str(self._folder), *OPTIONS, *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise ConnectorError(NO_GIT) from error


def is_wanted(path: str, size: int, config: GitConfig) -> bool:
    """Return whether a file of a repository becomes a document."""
    name = PurePosixPath(path).name
    return (
        bool(size)
        and not any(part.startswith(".") for part in Path(path).parts)
        and matches_paths(path, config.include_paths, config.exclude_paths)
        and is_supported_name(name)
    )
