"""Files of generated secrets, readable only by their owner."""

import contextlib
import os
import secrets
from pathlib import Path


def write_once(path: Path, text: str) -> None:
    """Write `text` to `path` unless it exists.

    The first of several processes wins.
    The text is on disk before the file gets its name, so no process reads a partial file.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
