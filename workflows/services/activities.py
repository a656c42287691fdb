"""Events of activities."""

from tenants.event_types import ActivityAssignedEvent
from tenants.services.outbox import publish
from workflows.models import ActivityAssignment


def announce_assignment(assignment: ActivityAssignment) -> None:
    """Publish the event of a new assignment; the worker notifies the person."""
    publish(
        ActivityAssignedEvent(
            assignment_id=assignment.pk,
            activity_id=assignment.activity_id,
            user_id=assignment.user_id,
            role=assignment.role,
        )
    )
