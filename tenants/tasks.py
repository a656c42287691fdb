"""Periodic tasks of tenants."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django import app

from config.jobs import job
from config.tenancy.scope import platform_scope

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
