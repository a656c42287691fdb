"""Endpoint that ends a conversation."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action

from config.api.exceptions import Conflict
from conversations.api.serializers import ConversationSerializer
from conversations.services.sessions import NotEnding, end_conversation


class CloseActionsMixin:
    """`/conversations/{id}/end/`."""

    @extend_schema(request=None, responses={200: ConversationSerializer})
    @action(detail=True, methods=["post"])
    def end(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """End a conversation. A job then writes its title and its summary in `/session-summaries/`."""
        try:
            ended = end_conversation(self.get_object())
        except NotEnding as error:
            raise Conflict("; ".join(error.messages), code="not_ending") from error
        return self.rendered_row(ConversationSerializer, ended)
