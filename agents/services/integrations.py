"""State of provider accounts: call results and the circuit breaker."""

from datetime import timedelta
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from agents.choices import IntegrationStatus
from agents.models import Integration

# Circuit breaker: after FAILURES consecutive failures calls pause; then one trial call decides for all callers.
FAILURE_THRESHOLD = 5
PAUSE_DURATION = timedelta(seconds=30)
MAX_MODELS = 500
# Minimum time between two recorded successes of an account, to save writes.
SUCCESS_INTERVAL = timedelta(minutes=1)


def may_call(integration_id: UUID) -> bool:
    """Return whether the account may be called now. Requires a tenant scope.

    After a pause, returns true for one trial caller only.
    """
    rows = Integration.objects.filter(pk=integration_id)
    state = rows.values_list("failure_count", "paused_until").first()
    if state is None or state[0] < FAILURE_THRESHOLD or state[1] is None:
        return True
    now = timezone.now()
    # The condition lets one of many callers through.
    return bool(rows.filter(paused_until__lte=now).update(paused_until=now + PAUSE_DURATION))


def record_failure(integration_id: UUID, message: str, *, counts: bool) -> None:
    """Record a call that failed.

    Args:
        message: user-facing reason without secrets.
        counts: whether the failure counts towards the breaker; an outage does, an invalid key does not.
    """
    rows = Integration.objects.filter(pk=integration_id)
    rows.update(status=IntegrationStatus.ERROR, last_error=message)
    if counts:
        rows.update(failure_count=F("failure_count") + 1)
        rows.filter(failure_count__gte=FAILURE_THRESHOLD).update(paused_until=timezone.now() + PAUSE_DURATION)


def record_models(integration_id: UUID, names: list[str]) -> None:
    """Record the models the endpoint offers, which also records a success."""
    record_success(integration_id)
    Integration.objects.filter(pk=integration_id).update(offered_models=sorted(set(names))[:MAX_MODELS])


def record_success(integration_id: UUID) -> None:
    """Record a successful call and close the breaker."""
    Integration.objects.filter(pk=integration_id).update(
        status=IntegrationStatus.CONNECTED,
        last_error="",
        last_sync_at=timezone.now(),
        failure_count=0,
        paused_until=None,
    )


def record_answer(account: Integration | None) -> None:
    """Record that an account answered, at most once per `FRESH`. Does not refresh `account`."""
    if account is None:
        return
    known = account.status == IntegrationStatus.CONNECTED and not account.failure_count
    if not known or account.last_sync_at is None or timezone.now() - account.last_sync_at > SUCCESS_INTERVAL:
        record_success(account.pk)
