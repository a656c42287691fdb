"""Files of a server folder; symbolic links and hidden files are skipped."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from uuid import UUID

from knowledge.connectors.base import (
    TIME_IS_OVER,
    ConnectorError,
    SourceItem,
    SyncContext,
    iter_blocks,
    matches_paths,
)
from knowledge.connectors.configs import MAX_ITEMS, FolderConfig
from knowledge.connectors.server_files import resolve_folder
from knowledge.parsing import is_supported_name

MAX_DEPTH = 50


class FolderSource:
    """Supported files below a folder; a version is the modification time and the size."""

    follows_deletions = True

    def __init__(self, config: FolderConfig, context: SyncContext, tenant_id: UUID) -> None:
        self.config, self.context = config, context
        self.notice = ""
        self._root = resolve_folder(tenant_id, config.path)

    def list_items(self) -> Iterator[SourceItem]:
        count = 0
        for path, found in self._walk(self._root, 0):
            source = path.relative_to(self._root).as_posix()
            if not is_supported_name(path.name) or not found.st_size:
                continue
            if not matches_paths(source, [], self.config.exclude_paths):
                continue
            count += 1
            if count > MAX_ITEMS or self.context.is_over():
                self.notice = (
                    TIME_IS_OVER if count <= MAX_ITEMS else f"The folder has more than {MAX_ITEMS} files."
                )
                return
            yield SourceItem(source, f"{found.st_mtime_ns}-{found.st_size}", path.name, handle=path)

    def open_item(self, item: SourceItem) -> Iterator[bytes]:
        return iter_blocks(_open_file(item.handle))

    def _walk(self, folder: Path, depth: int) -> Iterator[tuple[Path, os.stat_result]]:
        """Yield the regular files below a folder with their states, in the order of their names.

        Raises:
            ConnectorError: A folder cannot be read.
        """
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        except OSError as error:
            raise ConnectorError(f"A folder cannot be read ({error.strerror}).") from error
        for path in (folder / name for name in names):
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode):
                yield path, found
            elif stat.S_ISDIR(found.st_mode) and depth < MAX_DEPTH:
                yield from self._walk(path, depth + 1)


def _open_file(path: Path) -> IO[bytes]:
    try:
        # The file may have become a symbolic link since it was listed.
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except OSError as error:
        raise ConnectorError(f"The file cannot be read ({error.strerror}).") from error
