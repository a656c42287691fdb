"""Types of outgoing events, each with the shape of its data.

Data contains IDs and states, never the text of conversations or documents: webhooks send it to other systems.
"""

from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Event(BaseModel):
    """Base of the events. A subclass declares its type and the fields of its data."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: ClassVar[str]


class DocumentIndexedEvent(Event):
    """A document was indexed and can be searched."""

    name = "document.indexed"
    document_id: UUID
    collection_id: UUID
    chunk_count: int


class AnswerCompletedEvent(Event):
    """An agent completed or failed to give an answer."""

    name = "answer.completed"
    conversation_id: UUID
    message_id: UUID
    agent_id: UUID | None = None
    user_id: UUID | None = Field(None, description="User who asked.")
    status: Literal["completed", "failed"]
    total_tokens: int


class ActivityAssignedEvent(Event):
    """A person was assigned to an activity."""

    name = "activity.assigned"
    assignment_id: UUID
    activity_id: UUID
    user_id: UUID = Field(description="User who was assigned.")
    role: str


class BudgetEvent(Event):
    """Base of the events of limits."""

    subject: str = Field(description="Kind of the limited subject: tenant, user, key or agent.")
    subject_id: UUID
    resource: str = Field(description="Limited resource, such as tokens or cost.")
    period: str = Field(description="Period of the limit: request, day, month or total.")
    limit: float


class BudgetWarningEvent(BudgetEvent):
    """A limit is nearly used up. Sent once in each period of the limit."""

    name = "budget.warning"
    used: float
    percent: float = Field(description="Share of the limit at which the warning is sent, in percent.")


class BudgetExceededEvent(BudgetEvent):
    """A limit refused a request. Sent once a day, or once a month if the limit is monthly."""

    name = "budget.exceeded"


class RunCompletedEvent(Event):
    """A run of an agent completed, failed or was cancelled."""

    name = "run.completed"
    run_id: UUID
    workflow_id: UUID | None = None
    agent_id: UUID | None = None
    conversation_id: UUID | None = None
    status: str = Field(description="completed, failed or cancelled.")


class ApprovalRequestedEvent(Event):
    """A tool call requires a user's approval."""

    name = "approval.requested"
    conversation_id: UUID
    message_id: UUID
    tools: list[str] = Field(description="Names of the tools, each once.")
    user_id: UUID | None = Field(None, description="User who is asked.")


class MemberInvitedEvent(Event):
    """A person was invited to the organisation."""

    name = "member.invited"
    invitation_id: UUID
    email: str
    role: str
    invited_by: UUID | None = None


class MemberJoinedEvent(Event):
    """An invited person became a member of the organisation."""

    name = "member.joined"
    membership_id: UUID
    user_id: UUID
    role: str


class SecurityAlertEvent(Event):
    """A security event of severity ERROR or CRITICAL was recorded."""

    name = "security.alert"
    security_event_id: UUID
    event_type: str
    severity: Literal["ERROR", "CRITICAL"]
    action: str
    actor_user_id: UUID | None = None


class WorkflowApprovalEvent(Event):
    """Base of the events of approvals in workflows."""

    approval_id: UUID
    workflow_id: UUID
    execution_id: UUID = Field(description="Run that waits.")
    step_id: str = Field(description="ID of the step in the definition.")


class WorkflowApprovalRequestedEvent(WorkflowApprovalEvent):
    """A run of a workflow waits for the decision of people."""

    name = "workflow.approval_requested"


class WorkflowApprovalDecidedEvent(WorkflowApprovalEvent):
    """An approval in a run of a workflow was decided or expired."""

    name = "workflow.approval_decided"
    status: str = Field(description="approved, rejected or expired.")
    decided_by: UUID | None = Field(None, description="User who made the last decision.")


EVENT_TYPES: dict[str, type[Event]] = {
    event.name: event
    for event in (
        ActivityAssignedEvent,
        AnswerCompletedEvent,
        ApprovalRequestedEvent,
        BudgetExceededEvent,
        BudgetWarningEvent,
        DocumentIndexedEvent,
        MemberInvitedEvent,
        MemberJoinedEvent,
        RunCompletedEvent,
        SecurityAlertEvent,
        WorkflowApprovalDecidedEvent,
        WorkflowApprovalRequestedEvent,
    )
}


def describe_event(event: type[Event]) -> str:
    """Return the description of an event type."""
    return " ".join((event.__doc__ or "").split())


def data_schema(event: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema of the data of an event type."""
    schema = event.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    return schema | {"description": describe_event(event)}


def payload_schema(event: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema of the body of a webhook, as Standard Webhooks recommends it."""
    return {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": event.name, "type": "string"},
            "timestamp": {"type": "string", "format": "date-time", "description": "Time of the event."},
            "data": data_schema(event),
        },
    }
