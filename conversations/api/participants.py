"""Endpoints for the participants of a conversation."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions

from config.api.exceptions import Conflict, Forbidden
from config.api.viewsets import DestroyMixin, ReadOnlyTenantViewSet
from conversations.api.serializers import NewParticipantSerializer, ParticipantSerializer
from conversations.api.views import ConversationScopedMixin
from conversations.models import Conversation, Participant
from conversations.services.conversations import ConversationClosedError, find_agent
from conversations.services.participants import add_participant, remove_participant


class ParticipantViewSet(ConversationScopedMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """Participants of a conversation. The owner adds participants; all others may leave."""

    serializer_class = ParticipantSerializer
    resource = "conversations"

    @extend_schema(request=NewParticipantSerializer, responses={201: ParticipantSerializer})
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add a person, who can read and write messages, or an agent, which answers."""
        data = self.validate_body(NewParticipantSerializer)
        if not self.conversation().exists():
            raise Http404
        row = self._add(data)
        return self.respond_with(row.pk, 201, Location=f"{request._request.path}{row.pk}/")

    def _add(self, data: dict[str, Any]) -> Participant:
        agent = find_agent(data["agent"]) if "agent" in data else None
        if "agent" in data and agent is None:
            raise exceptions.ValidationError({"agent": "This object does not exist."})
        try:
            return add_participant(
                self.kwargs["conversation_id"],
                actor=self.credential.user_id,
                user_id=data.get("user"),
                agent=agent,
            )
        except Conversation.DoesNotExist:
            raise Http404 from None
        except PermissionDenied as error:
            raise Forbidden(str(error)) from error
        except ConversationClosedError as error:
            raise Conflict("; ".join(error.messages), code="conversation_closed") from error

    def perform_destroy(self, instance: Participant) -> None:
        try:
            remove_participant(instance, actor=self.credential.user_id)
        except PermissionDenied as error:
            raise Forbidden(str(error)) from error
