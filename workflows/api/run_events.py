"""Events of a run, as pages and as server-sent events."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.exceptions import Invalid
from config.api.pagination import read_limit
from config.api.views import json_response
from conversations.api.streaming import (
    EVENT_STREAM,
    KEEP_ALIVE,
    InvalidEventIdError,
    build_event_stream,
    event_line,
)
from conversations.streaming.threads import follow_stream
from workflows.choices import ENDED_RUNS, RunEventKind
from workflows.models import WorkflowEvent
from workflows.services.run_events import follow_events, list_events

MAX_SEQUENCE = 2**31 - 1
LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID", str, OpenApiParameter.HEADER, description="Id of the last event received."
)


class RunEventSerializer(serializers.Serializer):
    """A change of a run or of one of its steps."""

    sequence_number = serializers.IntegerField(help_text="Position in the run, starting at 1.")
    kind = serializers.ChoiceField(choices=RunEventKind.choices, help_text="What happened.")
    data = serializers.JSONField(help_text="IDs and states.")
    created_at = serializers.DateTimeField(help_text="Time of the event.")


class RunEventPageSerializer(serializers.Serializer):
    """A page of events, oldest first."""

    results = RunEventSerializer(many=True)
    next_after = serializers.IntegerField(
        allow_null=True, help_text="`after` of the next page. Null: there are no more events yet."
    )


class RunEventActions:
    """Actions of runs that show their events. List it before the viewset."""

    extra_media_types = (EVENT_STREAM,)

    @property
    def scope(self) -> str:
        return "manual" if self.action == "stream" else "request"

    @property
    def extra_parameters(self) -> tuple[str, ...]:
        return ("after", "limit") if self.action == "events" else ()

    @extend_schema(
        parameters=[
            OpenApiParameter("after", {"type": "integer", "minimum": 0, "default": 0}),
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
        ],
        responses={200: RunEventPageSerializer},
    )
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def events(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """List the events of a run after a sequence number, oldest first."""
        limit = read_limit(request.query_params.get("limit"))
        after = _parse_sequence(request.query_params.get("after"))
        if after is None:
            raise Invalid("after must be the sequence number of an event.", code="invalid_after")
        found = list_events(self.get_object().pk, after, limit + 1)
        page = found[:limit]
        following = page[-1].sequence_number if len(found) > limit else None
        return json_response({"results": RunEventSerializer(page, many=True).data, "next_after": following})

    @extend_schema(
        parameters=[LAST_EVENT_ID],
        responses={
            (200, EVENT_STREAM): OpenApiResponse(
                response=RunEventSerializer, description="Server-sent events, each with its kind and ID."
            ),
            204: OpenApiResponse(description="The run has ended, and there are no more events."),
        },
    )
    @action(detail=True, methods=["get"], url_path="events/stream", pagination_class=None, filter_backends=[])
    def stream(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Stream the events of a run as server-sent events after `Last-Event-ID`, until it ends."""
        after = _parse_sequence(request.META.get("HTTP_LAST_EVENT_ID"))
        if after is None:
            raise InvalidEventIdError
        with self.scoped():
            run = self.get_object()
            if after and run.status in ENDED_RUNS and not list_events(run.pk, after, 1):
                return HttpResponse(status=204)
        credential = self.credential
        lines = _encode(follow_events(self.scoped, run.pk, after))
        reader = (credential.user_id, run.pk)
        return build_event_stream(follow_stream(credential.tenant_id, reader, lines))


def _encode(events: Iterable[WorkflowEvent | None]) -> Iterator[bytes]:
    for event in events:
        if event is None:
            yield KEEP_ALIVE
        else:
            yield event_line(event.kind, RunEventSerializer(event).data, event.sequence_number)


def _parse_sequence(text: str | None) -> int | None:
    """Return a sequence number, or None if it is malformed."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 11):
        return None
    return min(int(text), MAX_SEQUENCE)
