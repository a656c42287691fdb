"""API of judged questions that a model writes."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers

from config.api.exceptions import Conflict
from config.api.views import ApiView, json_response
from conversations.runtime.question_generation import MAX_PASSAGES, GenerationError, request_questions
from conversations.services.conversations import find_agent
from knowledge.models import Collection


class QuestionGenerationSerializer(serializers.Serializer):
    """Request for judged questions."""

    agent = serializers.CharField(
        max_length=100, help_text="Slug or ID of an agent that searches the collection. Its model is asked."
    )
    passages = serializers.IntegerField(
        default=20,
        min_value=1,
        max_value=MAX_PASSAGES,
        help_text="Number of random passages. The model is asked once for each.",
    )


class QueuedGenerationSerializer(serializers.Serializer):
    """A queued generation of judged questions."""

    question_progress = serializers.IntegerField(
        help_text="Progress in percent, which the collection shows from now on."
    )


class QuestionGenerationView(ApiView):
    """Judged questions that the model of an agent writes for passages of a collection."""

    resource = "collections"
    verbs = {"POST": "write"}

    @extend_schema(
        request=QuestionGenerationSerializer,
        responses={202: QueuedGenerationSerializer},
        operation_id="collection_generate_questions",
    )
    def post(self, request: Any, collection_id: UUID | str) -> HttpResponse:
        """Queue the generation. The questions become suggestions, with the usage and budgets of the agent."""
        data = self.validate_body(QuestionGenerationSerializer)
        self.require("agents", "execute")
        collection = Collection.objects.named(collection_id).first()
        if collection is None:
            raise Http404
        agent = find_agent(data["agent"])
        if agent is None:
            raise exceptions.ValidationError({"agent": "This object does not exist."})
        try:
            request_questions(collection, agent, passages=data["passages"])
        except GenerationError as error:
            raise Conflict(" ".join(error.messages), code=error.code) from error
        return json_response({"question_progress": 0}, 202)
