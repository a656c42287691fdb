"""Secrets of a local installation, generated once and stored in files readable only by their owner."""

import os
import secrets
from pathlib import Path


def local_secret(path: Path) -> str:
    """Return the secret in `path`, generating it if absent. The first of several processes wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(64))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()
