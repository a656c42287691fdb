"""Background jobs of accounts."""

from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from config.jobs import job


@app.task(
    name="accounts.tasks.send_notification",
    retry=RetryStrategy(max_attempts=6, exponential_wait=5, retry_exceptions={OSError}),
)
@job
def send_notification(tenant_id: str, event_id: str, user_id: str) -> None:
    """Send one e-mail notification, retrying when the mail server cannot be reached."""
    from accounts.services.notifications import send_notification as send

    send(UUID(tenant_id), UUID(event_id), UUID(user_id))
