"""Endpoints for expert meetings: start with POST, read as JSON, or stream as server-sent events."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from agents.models import Agent
from config.api.exceptions import Conflict
from config.api.views import json_response
from conversations.api import streaming as answers
from conversations.api.event_schemas import MEETING_STREAM
from conversations.choices import MeetingPhase, StreamType
from conversations.meetings.runner import begin_meeting, follow_meeting
from conversations.runtime.turns import Caller
from conversations.services.conversations import ConversationClosedError, find_agent
from conversations.services.meetings import MAX_EXPERTS, MeetingRunningError, rebuild_meeting, render_event
from conversations.streaming.threads import follow_stream


class NewMeetingSerializer(serializers.Serializer):
    """The question and the experts of a meeting. The conversation's agent leads it."""

    question = serializers.CharField(max_length=100_000, help_text="The question to discuss.")
    experts = serializers.ListField(
        child=serializers.CharField(max_length=100),
        min_length=1,
        max_length=MAX_EXPERTS,
        help_text="Slugs or ids of the agents that participate as experts.",
    )


class BegunMeetingSerializer(serializers.Serializer):
    """A started meeting, which runs in the background."""

    question = serializers.UUIDField(help_text="Id of the message with the question.")
    stream = serializers.CharField(help_text="URL of its server-sent events.")


class MeetingEventSerializer(serializers.Serializer):
    """One meeting event, with the `metadata` of its type."""

    type = serializers.ChoiceField(choices=StreamType.choices)
    phase = serializers.ChoiceField(choices=MeetingPhase.choices, allow_blank=True)
    expert = serializers.CharField(allow_blank=True, help_text="Expert that contributes.")
    content = serializers.CharField(allow_blank=True, help_text="Text of the contribution.")


class MeetingSerializer(serializers.Serializer):
    """A meeting, rebuilt from the stored rows."""

    status = serializers.ChoiceField(choices=["running", "completed", "failed"])
    phase = serializers.ChoiceField(choices=MeetingPhase.choices, allow_blank=True)
    question = serializers.UUIDField(help_text="Id of the message with the question.")
    manager = serializers.DictField(help_text="Id and name of the agent that leads the meeting.")
    experts = serializers.ListField(child=serializers.DictField(), help_text="Ids and names of the experts.")
    questions = serializers.ListField(
        child=serializers.DictField(),
        allow_null=True,
        help_text="The manager's questions and their addressees.",
    )
    todo_list = serializers.ListField(child=serializers.DictField(), help_text="Tasks and their status.")
    first = serializers.IntegerField(help_text="Number of its first event.")
    last = serializers.IntegerField(help_text="Number of its latest event.")
    summary = serializers.CharField(allow_blank=True, help_text="Summary of the outcome.")
    chunks = MeetingEventSerializer(many=True, help_text="The streamed events, in order.")


class MeetingActions:
    """`/conversations/{id}/meeting/`."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "Last-Event-ID", str, OpenApiParameter.HEADER, description="Id of the last event received."
            )
        ],
        responses={
            (200, "application/json"): MeetingSerializer,
            (200, answers.EVENT_STREAM): OpenApiResponse(
                response=MEETING_STREAM,
                description="Server-sent events, named by type, until `stream_complete`.",
            ),
            204: OpenApiResponse(description="The stream has ended and there are no more events."),
        },
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def meeting(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the latest meeting as JSON, or stream it with `Accept: text/event-stream`."""
        with self.scoped():
            built = rebuild_meeting(self.get_object().pk)
        if built is None:
            raise Http404
        if not answers.wants_stream(request):
            return json_response(built)
        return _stream(self.caller(), kwargs["id"], built, request.META.get("HTTP_LAST_EVENT_ID", ""))

    @extend_schema(request=NewMeetingSerializer, responses={202: BegunMeetingSerializer})
    @meeting.mapping.post
    def begin_meeting(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Start a meeting of experts about a question. A worker runs it."""
        self.require("agents", "execute")
        data = self.validate_body(NewMeetingSerializer)
        conversation = self.get_object()
        try:
            question = begin_meeting(
                conversation.pk,
                question=data["question"],
                experts=_find_experts(data["experts"]),
                user_id=self.credential.user_id,
            )
        except MeetingRunningError as error:
            raise Conflict("; ".join(error.messages), code="meeting_underway") from error
        except ConversationClosedError as error:
            raise Conflict("; ".join(error.messages), code="conversation_closed") from error
        return json_response({"question": str(question.pk), "stream": request._request.path}, 202)


def _find_experts(names: list[str]) -> list[Agent]:
    experts = [find_agent(name) for name in names]
    if None in experts:
        raise serializers.ValidationError({"experts": "This object does not exist."})
    if len({each.pk for each in experts}) < len(experts):
        raise serializers.ValidationError({"experts": "List each expert only once."})
    return experts


def _stream(caller: Caller, conversation_id: UUID, built: dict[str, Any], last: str) -> HttpResponse:
    """Stream the events after `last`, by default from the start of the meeting."""
    if last and not (last.isdecimal() and len(last) < 10):
        raise answers.InvalidEventIdError
    # Event numbers continue from the previous meeting of the same conversation.
    after = max(int(last or 0), built["first"] - 1)
    if built["status"] != "running" and after >= built["last"]:
        return HttpResponse(status=204)
    question = UUID(built["question"])
    lines = _encode_events(caller, conversation_id, question, after)
    reader = (caller.user_id or caller.actor, question)
    return answers.build_event_stream(follow_stream(caller.tenant_id, reader, lines))


def _encode_events(caller: Caller, conversation_id: UUID, question_id: UUID, after: int) -> Iterator[bytes]:
    for event in follow_meeting(caller, conversation_id, question_id, after):
        if event is None:
            yield answers.KEEP_ALIVE
        else:
            yield answers.event_line(event.event_type, render_event(event), event.sequence_number)
