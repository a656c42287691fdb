"""Periodic tasks of tenants."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from config.jobs import defer_exclusive, job
from config.tenancy.scope import platform_scope

# Lower than other jobs: a slow endpoint occupies a place of the worker.
LOW_PRIORITY = -100
TRANSIENT_ERRORS = (OperationalError, InterfaceError, OSError)
# A deletion without progress for so long has no job any more.
STALLED_AFTER = timedelta(minutes=10)
CLAIM_TIMEOUT = timedelta(minutes=30)


@app.periodic(cron="23 * * * *")
@app.task(queueing_lock="forget_idempotency_keys")
@job
def forget_idempotency_keys(timestamp: int) -> None:
    """Delete expired idempotency keys and their stored responses."""
    from tenants.models import IdempotencyKey

    now = timezone.now()
    old = Q(created_at__lt=now - timedelta(hours=settings.IDEMPOTENCY_KEEP_HOURS))
    # Claimed by a process that died, without a reference to what it began.
    dead = Q(status_code=None, reference__isnull=True, created_at__lt=now - CLAIM_TIMEOUT)
    with platform_scope(reason="delete expired idempotency keys", actor="system:upkeep"):
        IdempotencyKey.unscoped.filter(old | dead).delete()


@app.task(
    name="tenants.tasks.delete_tenant",
    retry=RetryStrategy(max_attempts=5, exponential_wait=5, retry_exceptions=set(TRANSIENT_ERRORS)),
)
@job
def delete_tenant(deletion_id: str) -> None:
    """Delete the rows and files of a tenant, or continue an interrupted deletion."""
    from tenants.services.deletion import fail_attempt, run_deletion

    try:
        run_deletion(UUID(deletion_id))
    except Exception as error:
        fail_attempt(UUID(deletion_id), error)
        raise


@app.periodic(cron="*/10 * * * *")
@app.task(queueing_lock="resume_deletions")
@job
def resume_deletions(timestamp: int) -> None:
    """Defer deletions of tenants again that make no progress."""
    from tenants.choices import DeletionStatus
    from tenants.models import TenantDeletion
    from tenants.services.deletion import defer_deletion

    with platform_scope(reason="resume deletions of tenants", actor="system:upkeep"):
        stalled = TenantDeletion.objects.exclude(status=DeletionStatus.COMPLETED)
        for deletion in stalled.filter(updated_at__lt=timezone.now() - STALLED_AFTER):
            defer_deletion(deletion)


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="roll_up_usage")
@job
def roll_up_usage(timestamp: int) -> None:
    """Add the meter events since the last run to the hourly, daily and monthly metrics."""
    from tenants.services.metering import roll_up_usage as roll_up

    roll_up()


@app.periodic(cron="* * * * * */5")
@app.task(queueing_lock="send_events")
@job
def send_events(timestamp: int) -> None:
    """Defer the jobs that relay new events and send due webhooks."""
    from tenants.services.relay import find_work

    for tenant_id, endpoint_id in find_work():
        if endpoint_id is None:
            defer_exclusive(
                "tenants.tasks.relay_events",
                f"relay_events:{tenant_id}",
                tenant_id=str(tenant_id),
            )
        else:
            defer_exclusive(
                "tenants.tasks.deliver_webhooks",
                f"deliver_webhooks:{endpoint_id}",
                tenant_id=str(tenant_id),
                endpoint_id=str(endpoint_id),
            )


@app.task(name="tenants.tasks.relay_events")
@job
def relay_events(tenant_id: str) -> None:
    """Queue the deliveries of a tenant's new events."""
    from tenants.services.relay import relay_events as relay

    relay(UUID(tenant_id))


@app.task(name="tenants.tasks.deliver_webhooks", priority=LOW_PRIORITY)
@job
def deliver_webhooks(tenant_id: str, endpoint_id: str) -> None:
    """Send the due webhooks of one endpoint."""
    from tenants.services.deliveries import deliver_pending

    deliver_pending(UUID(tenant_id), UUID(endpoint_id))
