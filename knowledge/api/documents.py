"""API of documents: upload, web pages, reindexing."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser

from config.api.body_limits import UPLOAD_BODY, accept_body
from config.api.exceptions import Conflict, Invalid, TooLarge
from config.api.parsers import BoundedJSONParser
from config.api.renderers import dumps
from config.api.serializers import cached_serializer
from config.api.views import ApiView, bodyless, json_response
from config.api.viewsets import DestroyMixin, ReadOnlyTenantViewSet, UpdateMixin
from knowledge.models import Collection
from knowledge.parsing.document import clean_text
from knowledge.services.documents import (
    CREATED,
    UploadResult,
    delete_document,
    reindex_document,
    submit_url,
    upload_document,
)
from knowledge.services.files import (
    MULTIPART_OVERHEAD,
    FileTooLargeError,
    StoredFile,
    check_name,
    delete_file,
    store_file,
)

from .serializers import DocumentSerializer


class UploadSerializer(serializers.Serializer):
    """Request to upload a file."""

    file = serializers.FileField(help_text="File to upload; its extension determines the format.")
    source = serializers.CharField(
        max_length=1024,
        required=False,
        help_text="Identifier in the collection; the file name by default. Replaces a document with the same source.",
    )
    title = serializers.CharField(
        max_length=500, required=False, help_text="Title; taken from the file by default."
    )


class PageSerializer(serializers.Serializer):
    """Request to fetch a web page."""

    url = serializers.URLField(max_length=1024, help_text="URL of a public page; a job fetches it.")
    title = serializers.CharField(
        max_length=500, required=False, help_text="Title; taken from the page by default."
    )


class DocumentViewSet(UpdateMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """Documents with their indexing status."""

    serializer_class = DocumentSerializer
    resource = "collections"
    ordering_fields = ("created_at", "updated_at", "filename")
    verbs = {"reread": "write"}

    def perform_destroy(self, instance: Any) -> None:
        delete_document(instance)

    @bodyless(responses={200: DocumentSerializer})
    @action(detail=True, methods=["post"])
    def reread(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Reindex the document, for example after a failure or a change of the chunk size."""
        try:
            document = reindex_document(self.get_object(lock=True))
        except DjangoValidationError as error:
            raise Conflict(" ".join(error.messages), code="no_file") from error
        return self.rendered_row(DocumentSerializer, document)


class UploadView(ApiView):
    """Upload of documents. A job indexes them; `status` and `progress` show its state."""

    resource = "collections"
    # The file is stored before the transaction opens, since the storage may be remote and slow.
    scope = "manual"
    parser_classes = (MultiPartParser, BoundedJSONParser)

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        length = request.META.get("CONTENT_LENGTH") or ""
        if length.isdecimal() and int(length) > settings.UPLOAD_MAX_BYTES + MULTIPART_OVERHEAD:
            raise TooLarge(str(FileTooLargeError(settings.UPLOAD_MAX_BYTES)), code="file_too_large")
        super().initial(request, *args, **kwargs)

    @accept_body(UPLOAD_BODY)
    @extend_schema(
        request={"multipart/form-data": UploadSerializer, "application/json": PageSerializer},
        responses={200: DocumentSerializer, 201: DocumentSerializer},
    )
    def post(self, request: Any, collection_id: UUID | str) -> HttpResponse:
        """Upload a file (multipart) or submit a URL (JSON).

        Returns 200 instead of 201 when a document with this source already exists.
        """
        if request.content_type.startswith("application/json"):
            return self._page(request, collection_id)
        data = self.validate_body(UploadSerializer)
        name = check_name(data["file"].name)
        with self.scoped(read_only=True) as scope:
            self._collection(collection_id)
        try:
            stored = store_file(data["file"].chunks(), tenant_id=scope.tenant_id, name=name)
        except FileTooLargeError as error:
            raise TooLarge(str(error), code="file_too_large") from error
        return self._bring(collection_id, stored, name, data)

    def _bring(self, collection_id: UUID | str, kept: StoredFile, name: str, given: Any) -> HttpResponse:
        source = clean_text(given.get("source") or name)
        try:
            if not kept.size:
                raise Invalid("The file is empty.", code="empty_file")
            with self.scoped():
                upload = upload_document(
                    self._collection(collection_id),
                    kept,
                    source=source,
                    title=clean_text(given.get("title", "")),
                )
                return self._answer(upload)
        except BaseException:
            delete_file(kept.path)
            raise

    def _page(self, request: Any, collection_id: UUID | str) -> HttpResponse:
        data = self.validate_body(PageSerializer)
        with self.scoped():
            collection = self._collection(collection_id)
            return self._answer(submit_url(collection, data["url"], title=clean_text(data.get("title", ""))))

    def _collection(self, collection_id: UUID | str) -> Collection:
        collection = Collection.objects.named(collection_id).first()
        if collection is None:
            raise Http404
        return collection

    def _answer(self, brought: UploadResult) -> HttpResponse:
        brought.document.refresh_from_db()
        body = dumps(cached_serializer(DocumentSerializer).to_representation(brought.document))
        where = {"Location": f"/api/v1/documents/{brought.document.pk}/"}
        return json_response(body, 201 if brought.outcome == CREATED else 200, where)
