"""Endpoint that searches your own conversations."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from config.api.exceptions import Invalid, Problem
from config.api.views import ApiView, json_response
from conversations.choices import MessageRole
from conversations.services.search import FoundMessage, SearchFilter, embed_question, search_messages
from knowledge.api.search import highlight_snippet
from knowledge.embedders import EmbeddingError
from knowledge.services.search import MAX_QUERY

MOST, DEEPEST = 50, 400


class AskedSerializer(serializers.Serializer):
    """Parameters of a search."""

    q = serializers.CharField(max_length=MAX_QUERY, help_text="Question or keywords.")
    agent = serializers.UUIDField(
        required=False, help_text="Only conversations in which this agent participates."
    )
    after = serializers.DateTimeField(
        required=False, help_text="Only messages created at or after this time."
    )
    before = serializers.DateTimeField(required=False, help_text="Only messages created before this time.")
    limit = serializers.IntegerField(
        default=20, min_value=1, max_value=MOST, help_text="Maximum number of messages."
    )
    offset = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=DEEPEST,
        help_text="Number of messages to skip; use `next` of the previous page.",
    )


class FoundMessageSerializer(serializers.Serializer):
    """A matching message."""

    message = serializers.UUIDField(help_text="Its id.")
    conversation = serializers.UUIDField(help_text="Its conversation.")
    title = serializers.CharField(allow_blank=True, help_text="Title of the conversation.")
    sequence_number = serializers.IntegerField(help_text="Position in the conversation.")
    role = serializers.ChoiceField(choices=MessageRole.choices, help_text="Role of the author.")
    agent = serializers.UUIDField(allow_null=True, help_text="Agent that wrote the message.")
    created_at = serializers.DateTimeField(help_text="Creation time.")
    snippet = serializers.CharField(allow_blank=True, help_text="Escaped HTML; matches are in `mark` tags.")
    score = serializers.FloatField(help_text="From 0 to 1; 1 ranks first by keywords and by meaning.")


class FoundMessagesSerializer(serializers.Serializer):
    """A page of matching messages, best match first."""

    results = FoundMessageSerializer(many=True, help_text="Messages.")
    next = serializers.IntegerField(
        allow_null=True, help_text="`offset` of the next page; null on the last page."
    )


class SearchUnavailable(Problem):
    """The message embedder is unavailable."""

    status_code = 503
    default_code = "search_failed"


class MessageSearchView(ApiView):
    """Search in your own conversations."""

    resource = "conversations"
    # The question is embedded before the transaction starts.
    scope = "manual"
    extra_parameters = tuple(AskedSerializer().fields)

    @extend_schema(
        operation_id="conversations_search",
        parameters=[AskedSerializer],
        responses={200: FoundMessagesSerializer},
    )
    def get(self, request: Any) -> HttpResponse:
        """Search messages by keywords and meaning in the conversations that you participate in."""
        serializer = AskedSerializer(data=request.GET.dict())
        serializer.is_valid(raise_exception=True)
        parameters = serializer.validated_data
        try:
            question = embed_question(parameters["q"])
        except EmbeddingError as error:
            raise SearchUnavailable(str(error)) from error
        limit, offset = parameters["limit"], parameters["offset"]
        with self.scoped():
            try:
                messages = search_messages(
                    question,
                    user_id=self.credential.user_id,
                    within=SearchFilter(
                        parameters.get("agent"), parameters.get("after"), parameters.get("before")
                    ),
                    limit=limit + 1,
                    offset=offset,
                )
            except (ValueError, OverflowError):
                raise Invalid("The time is outside the supported range.", code="invalid_filter") from None
        following = offset + limit if len(messages) > limit and offset + limit <= DEEPEST else None
        return json_response({"results": [_render(each) for each in messages[:limit]], "next": following})


def _render(found: FoundMessage) -> dict[str, Any]:
    return {
        "message": found.id,
        "conversation": found.conversation_id,
        "title": found.title,
        "sequence_number": found.sequence_number,
        "role": found.role,
        "agent": found.agent_id,
        "created_at": found.created_at,
        "snippet": highlight_snippet(found.snippet),
        "score": round(found.score, 4),
    }
