"""Secrets of a local installation: made once, kept in files that only their owner reads."""

import os
import secrets
from pathlib import Path


def local_secret(path: Path) -> str:
    """The secret in `path`, made when absent; the first of several processes to start wins."""
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
