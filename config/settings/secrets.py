"""Secrets of a local installation, generated once and stored in files."""

import os
import secrets
import stat
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config.encryption.files import write_once

# Characters; a shorter file is damaged, for example by a full disk.
MIN_LENGTH = 50
# Others may pass through the folder, as the database's socket needs, but not list it.
FOLDER_MODE = 0o711
OTHERS_READ_WRITE = 0o066


def local_secret(path: Path) -> str:
    """Return the secret in `path`, generating it if absent.

    The first of several processes wins.

    Raises:
        ImproperlyConfigured: the file is too short to be a secret.
    """
    path.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
    _restrict_folder(path.parent)
    if not path.exists():
        write_once(path, secrets.token_urlsafe(64))
    value = path.read_text()
    if len(value) < MIN_LENGTH:
        raise ImproperlyConfigured(
            f"{path} has {len(value)} characters instead of at least {MIN_LENGTH}. Restore it from a backup."
        )
    return value


def _restrict_folder(folder: Path) -> None:
    """Remove others' rights to list and change the user's own folder."""
    found = folder.stat()
    if found.st_mode & OTHERS_READ_WRITE and found.st_uid == os.geteuid():
        folder.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS_READ_WRITE)
