"""Participants of a conversation: people read and write messages, agents answer.

The owner adds participants. Everyone except the owner may leave.
"""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from accounts.choices import MemberStatus
from accounts.models import Membership
from agents.models import Agent
from audit.services.events import record_event
from conversations.choices import ConversationMode, ParticipantRole
from conversations.models import Conversation, Participant
from conversations.services.conversations import MAX_AGENTS, lock_conversation, require_active

MAX_PEOPLE = 100


@transaction.atomic
def add_participant(
    conversation_id: UUID, *, actor: UUID | None, user_id: UUID | None = None, agent: Agent | None = None
) -> Participant:
    """Add a member of the organisation or an agent to a conversation.

    Raises:
        Conversation.DoesNotExist: the scope has no such conversation.
        ConversationClosedError: the conversation is closed, or the agent is not active.
        PermissionDenied: `actor` is not the owner.
        ValidationError: not exactly one of person and agent is given, the person is not an active member, the
            conversation is in single mode, or it has too many participants.
    """
    conversation = lock_conversation(conversation_id)
    _require_owner(conversation, actor)
    if (user_id is None) == (agent is None):
        raise ValidationError("Provide either a person or an agent.")
    if agent is not None:
        _require_place_for(agent, conversation)
    else:
        _require_place_for_person(user_id, conversation)
    participant = Participant(
        conversation=conversation,
        user_id=user_id,
        agent=agent,
        role=ParticipantRole.AGENT if agent else ParticipantRole.MEMBER,
    )
    participant.full_clean(exclude=["tenant"])
    participant.save(force_insert=True)
    record_event("conversation.joined", resource=conversation, metadata={"participant": str(participant.pk)})
    return participant


@transaction.atomic
def remove_participant(participant: Participant, *, actor: UUID | None) -> None:
    """Remove a participant; their messages stay.

    Raises:
        PermissionDenied: `actor` is neither the owner nor the participant.
        ValidationError: the participant is the owner or the last agent.
    """
    conversation = Conversation.objects.select_for_update(of=("self",)).get(pk=participant.conversation_id)
    if actor is None or participant.user_id != actor:
        _require_owner(conversation, actor)
    if participant.role == ParticipantRole.OWNER or (
        participant.user_id is not None and participant.user_id == conversation.user_id
    ):
        raise ValidationError("The owner cannot leave a conversation. Delete the conversation instead.")
    if participant.agent_id is not None and _agents(conversation).exclude(pk=participant.pk).count() == 0:
        raise ValidationError("The last agent of a conversation cannot be removed. Add another agent first.")
    participant.delete()
    record_event("conversation.left", resource=conversation, metadata={"participant": str(participant.pk)})


def is_owner(conversation: Conversation, user_id: UUID | None) -> bool:
    """Return whether the person owns the conversation."""
    if user_id is None:
        return False
    owners = Participant.objects.filter(conversation=conversation, role=ParticipantRole.OWNER)
    return conversation.user_id == user_id or owners.filter(user_id=user_id).exists()


def _require_owner(conversation: Conversation, user_id: UUID | None) -> None:
    if not is_owner(conversation, user_id):
        raise PermissionDenied("Only the owner of the conversation can do this.")


def _agents(conversation: Conversation) -> Any:
    return Participant.objects.filter(conversation=conversation, agent__isnull=False)


def _require_place_for(agent: Agent, conversation: Conversation) -> None:
    if conversation.mode == ConversationMode.SINGLE:
        raise ValidationError({"agent": "A conversation in single mode has only one agent."})
    if _agents(conversation).count() >= MAX_AGENTS:
        raise ValidationError({"agent": f"A conversation can have at most {MAX_AGENTS} agents."})
    require_active(agent)


def _require_place_for_person(user_id: UUID | None, conversation: Conversation) -> None:
    members = Membership.objects.filter(user_id=user_id, status=MemberStatus.ACTIVE)
    if not members.exists():
        raise ValidationError({"user": "This object does not exist."})
    people = Participant.objects.filter(conversation=conversation, user__isnull=False)
    if people.count() >= MAX_PEOPLE:
        raise ValidationError({"user": f"A conversation can have at most {MAX_PEOPLE} people."})
