"""Endpoints for conversation attachments: upload, download and delete."""

import hashlib
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser

from config.api.body_limits import UPLOAD_BODY, accept_body
from config.api.exceptions import Conflict, Invalid, TooLarge
from config.api.views import json_response
from config.api.viewsets import DestroyMixin, ReadOnlyTenantViewSet
from conversations.api.callers import CallerMixin
from conversations.api.serializers import AttachmentSerializer
from conversations.api.views import ConversationScopedMixin
from conversations.models import Attachment, Conversation
from conversations.services.attachments import FOLDER, ReadFile, attach_file, drop_file, read_file
from conversations.services.conversations import ConversationClosedError
from knowledge.parsing import ParseError
from knowledge.services.files import FileTooLargeError, StoredFile, check_name, delete_file, store_file

# Allowance for the multipart headers and boundaries around the file.
AROUND_BYTES = 64 * 1024
ANY_FILE = "application/octet-stream"


class FileSerializer(serializers.Serializer):
    """A file to upload."""

    file = serializers.FileField(help_text="The document. Its content must match its file name extension.")


class AttachmentViewSet(ConversationScopedMixin, CallerMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """Attachments of a conversation, including those that no message uses yet."""

    serializer_class = AttachmentSerializer
    resource = "conversations"
    parser_classes = (MultiPartParser,)
    extra_media_types = (ANY_FILE,)
    verbs = {"content": "read"}

    @property
    def scope(self) -> str:
        # Storage may be remote, so files are transferred outside the transaction.
        return "manual" if self.action in ("create", "content") else "request"

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        length = request.META.get("CONTENT_LENGTH") or ""
        if length.isdecimal() and int(length) > settings.UPLOAD_MAX_BYTES + AROUND_BYTES:
            raise TooLarge(str(FileTooLargeError(settings.UPLOAD_MAX_BYTES)), code="file_too_large")
        super().initial(request, *args, **kwargs)

    @accept_body(UPLOAD_BODY)
    @extend_schema(request={"multipart/form-data": FileSerializer}, responses={201: AttachmentSerializer})
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Upload a document. Agents read its text once a message lists it in `attachments`."""
        file = self.validate_body(FileSerializer)["file"]
        name = check_name(file.name)
        with self.scoped() as scope:
            if not self.conversation().exists():
                raise Http404
        try:
            stored = store_file(file.chunks(), tenant_id=scope.tenant_id, name=name, folder=FOLDER)
        except FileTooLargeError as error:
            raise TooLarge(str(error), code="file_too_large") from error
        try:
            return self._attach(_read(stored, name))
        except BaseException:
            delete_file(stored.path)
            raise

    def _attach(self, file: ReadFile) -> HttpResponse:
        # Multipart boundaries differ on each retry, so the body identifies no request.
        parts = (self.request._request.path, file.name, file.kept.checksum)
        idempotent = self.idempotent_request(hashlib.sha256("\n".join(parts).encode()).hexdigest())
        with self.scoped():
            response = idempotent.run(lambda: self._store(file))
        if "Idempotency-Replayed" in response:
            delete_file(file.kept.path)
        return response

    def _store(self, file: ReadFile) -> HttpResponse:
        try:
            row = attach_file(self.kwargs["conversation_id"], file, user_id=self.credential.user_id)
        except Conversation.DoesNotExist:
            raise Http404 from None
        except ConversationClosedError as error:
            raise Conflict("; ".join(error.messages), code="conversation_closed") from error
        body = AttachmentSerializer().to_representation(Attachment.objects.get(pk=row.pk))
        where = f"/api/v1/conversations/{row.conversation_id}/attachments/{row.pk}/"
        return json_response(body, 201, {"Location": where})

    @extend_schema(responses={(200, ANY_FILE): OpenApiResponse(OpenApiTypes.BINARY)})
    @action(detail=True, methods=["get"], pagination_class=None)
    def content(self, request: Any, *args: Any, **kwargs: Any) -> FileResponse:
        """Download the file."""
        with self.scoped():
            row = self.get_object()
        try:
            stored = default_storage.open(row.storage_path, "rb")
        except FileNotFoundError:
            raise Http404 from None
        # Untrusted content: browsers must download the file, not render it.
        name = PurePath(row.filename).name or "file"
        response = FileResponse(stored, as_attachment=True, filename=name, content_type=ANY_FILE)
        response["Content-Security-Policy"] = "sandbox"
        return response

    def perform_destroy(self, instance: Attachment) -> None:
        if not drop_file(instance):
            raise Conflict(
                "This file belongs to a message and cannot be deleted separately.", code="said_already"
            )


def _read(kept: StoredFile, name: str) -> ReadFile:
    if not kept.size:
        raise Invalid("The file is empty.", code="empty_file")
    try:
        return read_file(kept, name)
    except ParseError as error:
        raise ValidationError({"file": ValidationError(str(error), code="unreadable")}) from error
