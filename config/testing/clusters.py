"""Temporary embedded servers."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.postgres import cluster as embedded


@contextmanager
def temporary_cluster() -> Iterator[embedded.Cluster]:
    """Return a new cluster, not started; remove server and data after the block."""
    home = Path(tempfile.mkdtemp(prefix="conclave-test-"))
    # The server may run as another user.
    home.chmod(0o711)
    made = embedded.Cluster(home / "postgres", "trial")
    yield made
    embedded.destroy(made)
    home.rmdir()
