"""Embedded servers that live for a test."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.db import embedded


@contextmanager
def throw_away_cluster() -> Iterator[embedded.Cluster]:
    """A cluster of its own, not started yet; server and data are gone after the block."""
    home = Path(tempfile.mkdtemp(prefix="conclave-test-"))
    # Another user may run the server.
    home.chmod(0o711)
    made = embedded.Cluster(home / "postgres", "trial")
    yield made
    embedded.destroy(made)
    home.rmdir()
