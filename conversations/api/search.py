"""Search in one's own conversations as HTTP."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from config.api.exceptions import Invalid, Problem
from config.api.views import ApiView, json_response
from conversations.choices import MessageRole
from conversations.services.search import FoundMessage, Within, ask, search_messages
from knowledge.api.search import highlight_snippet
from knowledge.embedders import EmbeddingError
from knowledge.services.search import MAX_QUERY

MOST, DEEPEST = 50, 400


class AskedSerializer(serializers.Serializer):
    """What is searched for."""

    q = serializers.CharField(max_length=MAX_QUERY, help_text="The question or words.")
    agent = serializers.UUIDField(required=False, help_text="In conversations that this agent takes part in.")
    after = serializers.DateTimeField(required=False, help_text="Said at or after this moment.")
    before = serializers.DateTimeField(required=False, help_text="Said before this moment.")
    limit = serializers.IntegerField(default=20, min_value=1, max_value=MOST, help_text="Messages, at most.")
    offset = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=DEEPEST,
        help_text="Messages to pass over, as `next` of a page says.",
    )


class FoundMessageSerializer(serializers.Serializer):
    """A message that was found."""

    message = serializers.UUIDField(help_text="Its id.")
    conversation = serializers.UUIDField(help_text="Its conversation.")
    title = serializers.CharField(allow_blank=True, help_text="Title of the conversation.")
    sequence_number = serializers.IntegerField(help_text="Place in the conversation.")
    role = serializers.ChoiceField(choices=MessageRole.choices, help_text="Who speaks.")
    agent = serializers.UUIDField(allow_null=True, help_text="Agent that said it.")
    created_at = serializers.DateTimeField(help_text="When it was said.")
    snippet = serializers.CharField(
        allow_blank=True, help_text="HTML: the parts that were hit, in `mark` tags, else escaped."
    )
    score = serializers.FloatField(help_text="From 0 to 1; 1 is first by words and by meaning.")


class FoundMessagesSerializer(serializers.Serializer):
    """A page of what was found, best first."""

    results = FoundMessageSerializer(many=True, help_text="Messages.")
    next = serializers.IntegerField(allow_null=True, help_text="`offset` of the next page; null: no more.")


class SearchUnavailable(Problem):
    """The embedder of messages cannot be used now."""

    status_code = 503
    default_code = "search_failed"


class MessageSearchView(ApiView):
    """Search in one's own conversations."""

    resource = "conversations"
    # The vector of the question is made before the transaction.
    scope = "manual"
    extra_parameters = tuple(AskedSerializer().fields)

    @extend_schema(
        operation_id="conversations_search",
        parameters=[AskedSerializer],
        responses={200: FoundMessagesSerializer},
    )
    def get(self, request: Any) -> HttpResponse:
        """Find messages by words and meaning, of conversations that one began or takes part in."""
        asked = AskedSerializer(data=request.GET.dict())
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        try:
            question = ask(wanted["q"])
        except EmbeddingError as error:
            raise SearchUnavailable(str(error)) from error
        limit, offset = wanted["limit"], wanted["offset"]
        with self.scoped():
            try:
                found = search_messages(
                    question,
                    user_id=self.credential.user_id,
                    within=Within(wanted.get("agent"), wanted.get("after"), wanted.get("before")),
                    limit=limit + 1,
                    offset=offset,
                )
            except (ValueError, OverflowError):
                raise Invalid("The time is outside the supported range.", code="invalid_filter") from None
        following = offset + limit if len(found) > limit and offset + limit <= DEEPEST else None
        return json_response({"results": [_shown(each) for each in found[:limit]], "next": following})


def _shown(found: FoundMessage) -> dict[str, Any]:
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
