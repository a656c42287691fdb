"""State of the accounts at providers: how calls ended, and the pause after too many failures in a row."""

from datetime import timedelta
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from agents.choices import IntegrationStatus
from agents.models import Integration

# A breaker: so many failures in a row stop the calls for a while; then one call tries, and decides for all.
FAILURES = 5
PAUSE = timedelta(seconds=30)
MOST_MODELS = 500
# How long an account that answered need not be noted again.
FRESH = timedelta(minutes=1)


def may_call(integration_id: UUID) -> bool:
    """Whether calls go through; when a pause is over, for the one caller that tries. In a tenant's scope."""
    rows = Integration.objects.filter(pk=integration_id)
    found = rows.values_list("failure_count", "paused_until").first()
    if found is None or found[0] < FAILURES or found[1] is None:
        return True
    now = timezone.now()
    # The condition lets one of many callers through.
    return bool(rows.filter(paused_until__lte=now).update(paused_until=now + PAUSE))


def note_failure(integration_id: UUID, message: str, *, counts: bool) -> None:
    """Record a call that failed.

    Args:
        message: why, for people; holds no secret.
        counts: whether it speaks against the endpoint, as being down does and a wrong key does not.
    """
    rows = Integration.objects.filter(pk=integration_id)
    rows.update(status=IntegrationStatus.ERROR, last_error=message)
    if counts:
        rows.update(failure_count=F("failure_count") + 1)
        rows.filter(failure_count__gte=FAILURES).update(paused_until=timezone.now() + PAUSE)


def note_offer(integration_id: UUID, names: list[str]) -> None:
    """Record which models the account's endpoint offers, and thereby that it answers."""
    note_success(integration_id)
    Integration.objects.filter(pk=integration_id).update(offered_models=sorted(set(names))[:MOST_MODELS])


def note_success(integration_id: UUID) -> None:
    """Record a call that succeeded: the breaker closes."""
    Integration.objects.filter(pk=integration_id).update(
        status=IntegrationStatus.CONNECTED,
        last_error="",
        last_sync_at=timezone.now(),
        failure_count=0,
        paused_until=None,
    )


def note_answer(account: Integration | None) -> None:
    """Record that an account answered, unless that is known from the minute before; it is as it was loaded."""
    if account is None:
        return
    known = account.status == IntegrationStatus.CONNECTED and not account.failure_count
    if not known or account.last_sync_at is None or timezone.now() - account.last_sync_at > FRESH:
        note_success(account.pk)
