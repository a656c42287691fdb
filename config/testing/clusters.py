"""Temporary embedded servers."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.postgres.cluster import Cluster, destroy_cluster


@contextmanager
def temporary_cluster() -> Iterator[Cluster]:
    """Return a new cluster, not started; remove server and data after the block."""
    home = Path(tempfile.mkdtemp(prefix="conclave-test-"))
    # The server may run as another user.
    home.chmod(0o711)
    cluster = Cluster(home / "postgres", "trial")
    yield cluster
    destroy_cluster(cluster)
    home.rmdir()
