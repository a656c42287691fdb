"""Endpoint that exports a conversation as a file."""

from typing import Any
from uuid import UUID

from django.http import Http404, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from config.api.exceptions import Invalid
from config.api.views import ApiView
from conversations.models import Conversation
from conversations.services.export import as_json, as_markdown, open_export

MARKDOWN = "text/markdown"
WRITERS = {
    "json": (as_json, "application/json", "json"),
    "markdown": (as_markdown, f"{MARKDOWN}; charset=utf-8", "md"),
}


class ExportView(ApiView):
    """Export of one of your conversations."""

    resource = "conversations"
    # Each page of the stream opens a separate short scope.
    scope = "manual"
    extra_media_types = (MARKDOWN,)
    extra_parameters = ("as",)

    @extend_schema(
        operation_id="conversation_export",
        parameters=[
            OpenApiParameter(
                "as", str, enum=sorted(WRITERS), default="json", description="Format of the file."
            )
        ],
        responses={
            (200, "application/json"): OpenApiResponse(
                OpenApiTypes.OBJECT, description="By docs/reference/conversation-export.schema.json."
            ),
            (200, MARKDOWN): OpenApiResponse(OpenApiTypes.STR, description="The export as Markdown."),
        },
    )
    def get(self, request: Any, conversation_id: UUID) -> StreamingHttpResponse:
        """Export a conversation: messages, branches, citations, tool calls, files, feedback, participants and costs."""
        export_format = request.GET.get("as", "json")
        if export_format not in WRITERS:
            raise Invalid(
                f"`as` is not a valid format. Use one of: {', '.join(sorted(WRITERS))}.",
                code="invalid_parameter",
            )
        write, media_type, suffix = WRITERS[export_format]
        with self.scoped():
            conversations = Conversation.objects.visible_to(self.credential.user_id)
            conversation = conversations.filter(pk=conversation_id).first()
            if conversation is None:
                raise Http404
            export = open_export(
                conversation,
                scope=self.scoped,
                reader=self.credential.user_id,
            )
        response = StreamingHttpResponse(write(export), content_type=media_type)
        name = f"conversation-{conversation_id}.{suffix}"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "private, no-store"
        return response
