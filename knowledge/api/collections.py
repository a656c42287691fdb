"""API of collections: CRUD, re-embedding, archiving, export and import."""

import tempfile
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser

from config.api.body_limits import IMPORT_BODY, accept_body
from config.api.exceptions import Conflict, Invalid, TooLarge
from config.api.renderers import dumps
from config.api.serializers import cached_serializer
from config.api.views import ApiView, bodyless, json_response
from config.api.viewsets import TenantViewSet
from knowledge.models import Collection
from knowledge.services.collections import (
    archive_collection,
    change_model,
    delete_collection,
    restore_collection,
)
from knowledge.services.transfer import TransferError, export_collection, import_collection

from .serializers import CollectionSerializer

ZIP = "application/zip"


class ModelSerializer(serializers.Serializer):
    """Request to change the embedding model."""

    embedding_model = serializers.CharField(max_length=100, help_text="Embedding model to change to.")


class ImportSerializer(serializers.Serializer):
    """Request to import an exported collection."""

    file = serializers.FileField(help_text="File returned by the export endpoint.")
    slug = serializers.SlugField(max_length=100, help_text="Slug of the new collection.")


class CollectionViewSet(TenantViewSet):
    """Sets of documents that agents answer from."""

    serializer_class = CollectionSerializer
    resource = "collections"
    ordering_fields = ("created_at", "updated_at", "name")
    verbs = {"reembed": "write", "archive": "write", "restore": "write"}

    def perform_destroy(self, instance: Any) -> None:
        delete_collection(instance)

    @extend_schema(request=ModelSerializer, responses={200: CollectionSerializer})
    @action(detail=True, methods=["post"])
    def reembed(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Re-embed the chunks with another model.

        Searches use the old vectors until the job has computed all new ones.
        """
        parameters = self.validate_body(ModelSerializer)
        changed = change_model(self.get_object(lock=True), parameters["embedding_model"])
        return self.respond_with(changed.pk)

    @bodyless(responses={200: CollectionSerializer})
    @action(detail=True, methods=["post"])
    def archive(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Archive the collection; it keeps its documents and accepts no new ones."""
        return self.respond_with(archive_collection(self.get_object(lock=True)).pk)

    @bodyless(responses={200: CollectionSerializer})
    @action(detail=True, methods=["post"])
    def restore(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Restore an archived collection."""
        return self.respond_with(restore_collection(self.get_object(lock=True)).pk)


class ExportView(ApiView):
    """Export of a collection."""

    resource = "collections"
    scope = "manual"
    extra_media_types = (ZIP,)

    @extend_schema(responses={(200, ZIP): OpenApiResponse(OpenApiTypes.BINARY)})
    def get(self, request: Any, collection_id: UUID | str) -> Any:
        """Return a zip file of the collection's documents, chunks and vectors."""
        with self.scoped(read_only=True):
            collection = Collection.objects.named(collection_id).first()
            if collection is None:
                raise Http404
        target = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
        try:
            export_collection(self.credential.tenant_id, collection.pk, target, actor=self.credential.actor)
        except TransferError as error:
            target.close()
            raise Conflict(str(error), code="model_changed") from error
        target.seek(0)
        return FileResponse(target, as_attachment=True, filename=f"{collection.slug}.zip", content_type=ZIP)


class ImportView(ApiView):
    """Import of a collection."""

    resource = "collections"
    scope = "manual"
    parser_classes = (MultiPartParser,)

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        length = request.META.get("CONTENT_LENGTH") or ""
        if length.isdecimal() and int(length) > settings.IMPORT_MAX_BYTES:
            raise TooLarge(f"The file is larger than {settings.IMPORT_MAX_BYTES // 1024**2} MB.")
        super().initial(request, *args, **kwargs)

    @accept_body(IMPORT_BODY)
    @extend_schema(request={"multipart/form-data": ImportSerializer}, responses={201: CollectionSerializer})
    def post(self, request: Any) -> HttpResponse:
        """Create a collection from an exported file, in one transaction."""
        parameters = self.validate_body(ImportSerializer)
        file: UploadedFile = parameters["file"]
        credential = self.credential
        try:
            collection = import_collection(
                credential.tenant_id, file.file, slug=parameters["slug"], actor=credential.actor
            )
        except TransferError as error:
            raise Invalid(str(error), code="not_a_collection") from error
        with self.scoped(read_only=True):
            body = dumps(cached_serializer(CollectionSerializer).to_representation(collection))
        return json_response(body, 201, {"Location": f"/api/v1/collections/{collection.pk}/"})
