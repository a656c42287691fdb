"""The limit of requests that wait for a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from config.serving.threads import outside_pool
from config.tenancy.concurrency import ConcurrencyLimit

model_requests = ConcurrencyLimit(
    "too_many_model_requests",
    "Too many requests to models are in progress. Wait for their responses, then retry.",
    per_process="MODEL_REQUESTS_PER_PROCESS",
    per_tenant="MODEL_REQUESTS_PER_TENANT",
)


@contextmanager
def waiting_for_model(tenant_id: UUID) -> Iterator[None]:
    """Count a request that waits for a model in the block.

    It runs outside the threads for other requests.

    Raises:
        ConcurrencyLimitError: the tenant or the process has its maximum number of such requests.
    """
    with model_requests.acquire(tenant_id), outside_pool():
        yield
