"""Files in OpenAI's format: documents with a stored file."""

import contextlib
import hashlib
from pathlib import PurePath
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponse
from rest_framework.parsers import MultiPartParser

from config.api.body_limits import UPLOAD_BODY, accept_body
from config.api.exceptions import TooLarge
from config.api.views import json_response
from conversations.api.compat import CompatView
from conversations.api.wire_models import UNSUPPORTED, CompatError
from knowledge.choices import DocumentStatus
from knowledge.models import Document
from knowledge.services.files import (
    MULTIPART_OVERHEAD,
    FileTooLargeError,
    StoredFile,
    check_name,
    delete_file,
    store_file,
)
from knowledge.services.library import PURPOSE, add_file, list_files, remove_file

from .errors import ObjectNotFoundError, error_body
from .pages import parse_limit, render_page

FILE = "file-"
PURPOSES = ("assistants", "user_data")
MEMBERS = frozenset({"file", "purpose"})
STATUSES = {DocumentStatus.INDEXED: "processed", DocumentStatus.FAILED: "error"}
MAX_FILES = 10_000


def get_file(name: str, **conditions: Any) -> Document:
    """Return the file with this id.

    Args:
        conditions: further conditions for columns of the document.

    Raises:
        ObjectNotFoundError: the file does not exist.
    """
    with contextlib.suppress(ValueError):
        if found := list_files().filter(pk=UUID(name.removeprefix(FILE)), **conditions).first():
            return found
    raise ObjectNotFoundError(f"No such File object: {name}", parameter="id")


def render_file(row: Document) -> dict[str, Any]:
    return {
        "id": f"{FILE}{row.pk.hex}",
        "object": "file",
        "bytes": row.file_size,
        "created_at": int(row.created_at.timestamp()),
        "filename": row.filename,
        "purpose": row.metadata.get(PURPOSE, "assistants"),
        "status": STATUSES.get(DocumentStatus(row.status), "uploaded"),
        "status_details": row.error_message or None,
        "expires_at": None,
    }


class FilesView(CompatView):
    """Uploaded files."""

    dialect = staticmethod(error_body)
    resource = "collections"
    parser_classes = (MultiPartParser,)
    extra_parameters = ("limit", "order", "after", "purpose")

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        length = request.META.get("CONTENT_LENGTH") or ""
        if length.isdecimal() and int(length) > settings.UPLOAD_MAX_BYTES + MULTIPART_OVERHEAD:
            raise TooLarge(str(FileTooLargeError(settings.UPLOAD_MAX_BYTES)), code="file_too_large")
        super().initial(request, *args, **kwargs)

    def get(self, request: Any) -> HttpResponse:
        """List the files, newest first unless `order` is `asc`."""
        ascending, limit = request.GET.get("order") == "asc", parse_limit(request.GET, MAX_FILES)
        with self.scoped(read_only=True):
            rows = list_files().order_by("id" if ascending else "-id")
            if after := request.GET.get("after"):
                rows = rows.filter(**{"id__gt" if ascending else "id__lt": get_file(after).pk})
            if purpose := request.GET.get("purpose"):
                rows = rows.filter(metadata__contains={PURPOSE: purpose})
            page = list(rows[: limit + 1])
        return json_response(
            render_page([render_file(row) for row in page[:limit]], has_more=len(page) > limit)
        )

    @accept_body(UPLOAD_BODY)
    def post(self, request: Any) -> HttpResponse:
        """Upload a file; a job indexes it in the collection of uploaded files."""
        data, purpose = request.data, request.data.get("purpose")
        if unknown := sorted(name for name in set(data) - MEMBERS):
            raise CompatError(unknown[0], f"Unsupported parameter: '{unknown[0]}'.", UNSUPPORTED)
        if purpose not in PURPOSES:
            raise CompatError("purpose", f"purpose: must be one of {', '.join(PURPOSES)}.")
        if "file" not in request.FILES:
            raise CompatError("file", "file: Field required")
        file = request.FILES["file"]
        name = check_name(file.name)
        try:
            stored = store_file(file.chunks(), tenant_id=self.credential.tenant_id, name=name)
        except FileTooLargeError as error:
            raise TooLarge(str(error), code="file_too_large") from error
        try:
            return self._store(stored, name, purpose)
        except BaseException:
            delete_file(stored.path)
            raise

    def _store(self, stored: StoredFile, name: str, purpose: str) -> HttpResponse:
        if not stored.size:
            raise CompatError("file", "The file is empty.")

        def respond() -> HttpResponse:
            return json_response(render_file(add_file(stored, name=name, purpose=purpose)))

        # Multipart boundaries differ on each retry, so the fingerprint covers the file.
        parts = (self.request._request.path, purpose, name, stored.checksum)
        idempotent = self.idempotent_request(hashlib.sha256("\n".join(parts).encode()).hexdigest())
        with self.scoped():
            response: HttpResponse = idempotent.run(respond)
        if "Idempotency-Replayed" in response:
            delete_file(stored.path)
        return response


class FileView(CompatView):
    """One file."""

    dialect = staticmethod(error_body)
    scope = "request"
    resource = "collections"

    def get(self, request: Any, name: str) -> HttpResponse:
        """Return the file."""
        return json_response(render_file(get_file(name)))

    def delete(self, request: Any, name: str) -> HttpResponse:
        """Delete the file, also from all vector stores."""
        remove_file(get_file(name))
        return json_response({"id": name, "object": "file", "deleted": True})


class FileContentView(CompatView):
    """The bytes of a file."""

    dialect = staticmethod(error_body)
    resource = "collections"
    extra_media_types = ("application/binary", "application/octet-stream")

    def get(self, request: Any, name: str) -> HttpResponse:
        """Download the file."""
        with self.scoped(read_only=True):
            row = get_file(name)
        try:
            stored = default_storage.open(row.storage_path, "rb")
        except FileNotFoundError:
            raise ObjectNotFoundError(f"No such File object: {name}", parameter="id") from None
        # Untrusted content: browsers must download the file, not render it.
        response = FileResponse(
            stored,
            as_attachment=True,
            filename=PurePath(row.filename).name or "file",
            content_type="application/octet-stream",
        )
        response["Content-Security-Policy"] = "sandbox"
        return response  # type: ignore[return-value]
