"""Secrets of a local installation, generated once and stored in files readable only by their owner."""

import contextlib
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

# Characters; a shorter file is damaged, for example by a full disk.
MIN_LENGTH = 50
# Others may pass through the folder, as the database's socket needs, but not list it.
FOLDER_MODE = 0o711


def local_secret(path: Path) -> str:
    """Return the secret in `path`, generating it if absent. The first of several processes wins.

    Raises:
        ImproperlyConfigured: the file is too short to be a secret.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(FOLDER_MODE)
    if not path.exists():
        _write_secret(path)
    value = path.read_text()
    if len(value) < MIN_LENGTH:
        raise ImproperlyConfigured(
            f"{path} has {len(value)} characters instead of at least {MIN_LENGTH}. Restore it from a backup."
        )
    return value


def _write_secret(path: Path) -> None:
    """Write a new secret to disk before the file gets its name."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(64))
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
