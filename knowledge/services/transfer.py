"""Export and import of a collection as a zip file.

    manifest.json        format, version and the fields of the collection
    documents.jsonl      one line per document, with its number
    chunks/<number>.jsonl  one line per chunk, with the vector (base64 of little-endian 32-bit floats)
    files/<number>       the document's file, if it is stored

The import assigns new ids; the file does not reference existing rows.
"""

import base64
import json
import sys
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from contextlib import suppress
from math import isfinite
from typing import IO, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone

from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from knowledge.choices import DocumentOrigin, DocumentStatus
from knowledge.models import Chunk, Collection, Document
from knowledge.parsing.document import clean_text
from knowledge.services.chunk_storage import store_chunks
from knowledge.services.chunks import lock_embedding_model
from knowledge.services.collections import get_or_create_collection
from knowledge.services.embedding import TABLES
from knowledge.services.files import (
    FileTooLargeError,
    StoredFile,
    delete_file,
    iter_bytes,
    open_local_file,
    store_file,
)

FORMAT, VERSION = "conclave-collection", 1
COLLECTION = (
    "name", "description", "language", "embedding_model", "chunk_size", "chunk_overlap", "settings", "metadata",
)  # fmt: skip
DOCUMENT = (
    "title",
    "filename",
    "source",
    "file_type",
    "file_size",
    "checksum",
    "indexed_checksum",
    "metadata",
    "language",
)
CHUNK = (
    "chunk_index", "content", "context", "page", "start", "end", "token_count", "semantic_keywords",
    "semantic_category", "semantic_summary", "extracted_entities", "metadata", "language",
)  # fmt: skip
# Values of files that were exported before languages existed.
OLDER_COLLECTION, OLDER_DOCUMENT, OLDER_CHUNK = {"language": ""}, {"language": ""}, {"language": "en"}
MAX_UNPACKED = 4 * 1024**3
MAX_LINE = 4 * 1024 * 1024
# Limits of one document, which is loaded into memory.
MAX_CHUNKS, MAX_DOCUMENT = 30_000, 400 * 1024 * 1024
# Set by the importer or the database.
UNCHECKED = {"id", "tenant", "collection", "document", "search", "created_at"}

# Errors that the zip and JSON parsers raise for malformed files.
DAMAGED_FILE_ERRORS = (
    zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, RecursionError, NotImplementedError,
    zlib.error, RuntimeError, FileTooLargeError,
)  # fmt: skip


class TransferError(Exception):
    """The file cannot be exported or imported; the message explains why to the user."""


def export_collection(tenant_id: UUID, collection_id: UUID, target: IO[bytes], *, actor: str) -> int:
    """Write the collection to `target`; each document is read in its own transaction.

    Returns:
        Number of documents written; documents without chunks are skipped.

    Raises:
        TransferError: If the embedding model changes during the export.
    """
    with tenant_scope(tenant_id, actor=actor):
        collection = Collection.objects.get(pk=collection_id)
        documents = Document.objects.filter(collection_id=collection_id, chunk_count__gt=0)
        ids = list(documents.order_by("id").values_list("pk", flat=True))
    lines = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, document_id in enumerate(ids):
            if line := _export_document(archive, number, collection, document_id, actor):
                lines.append(line)
        archive.writestr("documents.jsonl", "".join(lines))
        settings = {name: getattr(collection, name) for name in COLLECTION}
        archive.writestr(
            "manifest.json", _dump_line({"format": FORMAT, "version": VERSION, "collection": settings})
        )
    return len(lines)


def _dump_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) + "\n"


def _export_document(
    archive: zipfile.ZipFile, number: int, collection: Collection, document_id: UUID, actor: str
) -> str:
    with tenant_scope(collection.tenant_id, actor=actor):
        # Lock the row, so that chunks and vectors belong to the same version.
        document = Document.objects.select_for_update().filter(pk=document_id).first()
        if document is None:
            return ""
        chunks = list(Chunk.objects.filter(document_id=document_id).order_by("chunk_index"))
        model, dimensions = lock_embedding_model(document.collection_id)
        if model != collection.embedding_model:
            raise TransferError("The embedding model changed during the export. Export the collection again.")
        table = TABLES[dimensions]
        vectors = dict(table.objects.filter(pk__in=[c.pk for c in chunks]).values_list("pk", "embedding"))
    with archive.open(f"chunks/{number}.jsonl", "w") as out:
        for chunk in chunks:
            row = {name: getattr(chunk, name) for name in CHUNK} | {
                "vector": _encode_vector(vectors[chunk.pk])
            }
            out.write(_dump_line(row).encode())
    if document.storage_path:
        # Export the chunks even if the storage does not have the file.
        with (
            suppress(FileNotFoundError),
            open_local_file(document.storage_path) as stream,
            archive.open(f"files/{number}", "w") as out,
        ):
            for piece in iter_bytes(stream):
                out.write(piece)
    return _dump_line({"number": number} | {name: getattr(document, name) for name in DOCUMENT})


def _encode_vector(vector: Any) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()


def _decode_vector(text: Any, dimensions: int) -> "array[float]":
    numbers = array("f")
    try:
        numbers.frombytes(base64.b64decode(text, validate=True))
    except (ValueError, TypeError) as error:
        raise TransferError("The file contains a damaged vector.") from error
    if sys.byteorder == "big":
        numbers.byteswap()
    if len(numbers) != dimensions or not all(abs(number) < 65504 for number in numbers):
        raise TransferError(f"The file contains a vector that does not have {dimensions} finite numbers.")
    return numbers


def import_collection(tenant_id: UUID, source: IO[bytes], *, slug: str, actor: str) -> Collection:
    """Import an exported file as the collection `slug`.

    The document files are stored first, which can take long; then all rows are written in one transaction. The
    periodic cleanup deletes the files of an interrupted import.

    Raises:
        TransferError: If the file is malformed, damaged or too large.
        ValidationError: If the slug is taken or invalid, or the embedding model is unavailable.
    """
    files: dict[int, StoredFile] = {}
    try:
        with zipfile.ZipFile(source) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
                raise TransferError(f"The file is larger than {MAX_UNPACKED // 1024**3} GB when unpacked.")
            fields = _read_manifest(archive)
            with tenant_scope(tenant_id, actor=actor):
                _check_slug_available(slug)
            files.update(_store_files(archive, tenant_id))
            with tenant_scope(tenant_id, actor=actor):
                collection = _create_collection(fields, slug)
                for line in _iter_lines(archive, "documents.jsonl"):
                    _import_document(archive, line, files.get(_get_number(line)), collection)
                collection.refresh_from_db()
                return collection
    except BaseException as error:
        for file in files.values():
            delete_file(file.path)
        if isinstance(error, DAMAGED_FILE_ERRORS):
            raise TransferError(
                f"The file is not a valid collection export ({type(error).__name__})."
            ) from error
        raise


def _check_slug_available(slug: str) -> None:
    if Collection.objects.filter(slug=slug).exists():
        raise ValidationError(
            {"slug": ValidationError("A collection with this slug already exists.", code="unique")}
        )


def _store_files(archive: zipfile.ZipFile, tenant_id: UUID) -> Iterator[tuple[int, StoredFile]]:
    """Store the document files and yield each with its document's number."""
    names, seen = set(archive.namelist()), set()
    for line in _iter_lines(archive, "documents.jsonl"):
        number = _get_number(line)
        if number in seen:
            raise TransferError("Two documents in the file have the same number.")
        seen.add(number)
        if f"files/{number}" in names:
            with archive.open(f"files/{number}") as member:
                yield number, store_file(iter_bytes(member), tenant_id=tenant_id, name=str(line["filename"]))


def _get_number(line: dict[str, Any]) -> int:
    number = line["number"]
    if type(number) is not int:
        raise TransferError("A document in the file has no number.")
    return number


def _read_manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    manifest = next(_iter_lines(archive, "manifest.json"), None) or {}
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise TransferError(f"The file is not a {FORMAT} file of version {VERSION}.")
    collection = OLDER_COLLECTION | manifest["collection"]
    return {name: collection[name] for name in COLLECTION}


def _create_collection(fields: dict[str, Any], slug: str) -> Collection:
    _check_slug_available(slug)
    if not all(isinstance(fields[name], dict) for name in ("settings", "metadata")):
        raise TransferError("The collection's settings and metadata must be JSON objects.")
    return get_or_create_collection(slug, **fields)[0]


def _iter_lines(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    with archive.open(name) as member:
        while line := member.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise TransferError("A line in the file is too long.")
            row = json.loads(line)
            if not isinstance(row, dict):
                raise TransferError("A line in the file is not a JSON object.")
            yield _clean_json(row)


def _clean_json(value: Any) -> Any:
    """Remove characters that PostgreSQL rejects, such as `\\u0000`, from JSON."""
    if isinstance(value, dict):
        return {clean_text(key): _clean_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean_json(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        raise TransferError("The file contains a number that is not finite.")
    return clean_text(value) if isinstance(value, str) else value


def _import_document(
    archive: zipfile.ZipFile, line: dict[str, Any], file: StoredFile | None, collection: Collection
) -> None:
    line = OLDER_DOCUMENT | line
    values = {name: line[name] for name in DOCUMENT}
    if file is not None:
        values |= {"file_size": file.size, "checksum": file.checksum}
    document = Document(
        collection=collection,
        storage_path=file.path if file else "",
        origin=DocumentOrigin.IMPORT,
        status=DocumentStatus.INDEXED,
        progress=100,
        uploaded_at=timezone.now(),
        **values,
    )
    if not isinstance(document.metadata, dict):
        raise TransferError("The metadata of a document must be a JSON object.")
    document.full_clean(exclude=["tenant", "collection"])
    document.save()
    chunks, vectors = _read_chunks(archive, _get_number(line), document, collection)
    store_chunks(chunks, vectors, dimensions=collection.dimensions)
    document.chunk_count = len(chunks)
    document.save()


def _read_chunks(
    archive: zipfile.ZipFile, number: int, document: Document, collection: Collection
) -> "tuple[list[Chunk], list[array[float]]]":
    name = f"chunks/{number}.jsonl"
    if archive.getinfo(name).file_size > MAX_DOCUMENT:
        raise TransferError("A document in the file is too large.")
    chunks: list[Chunk] = []
    vectors: list[array[float]] = []
    for row in _iter_lines(archive, name):
        if len(chunks) >= MAX_CHUNKS:
            raise TransferError("A document in the file has too many chunks.")
        chunks.append(_build_chunk(row, document, collection))
        vectors.append(_decode_vector(row.get("vector"), collection.dimensions))
    if len({chunk.chunk_index for chunk in chunks}) < len(chunks):
        raise TransferError("Two chunks in the file have the same chunk_index.")
    return chunks, vectors


def _build_chunk(row: dict[str, Any], document: Document, collection: Collection) -> Chunk:
    row = OLDER_CHUNK | row
    shapes = {"metadata": dict, "semantic_keywords": list, "extracted_entities": list}
    for name, shape in shapes.items():
        if not isinstance(row[name], shape) and not (row[name] is None and name != "metadata"):
            raise TransferError(f"The field {name} of a chunk in the file has the wrong type.")
    chunk = Chunk(
        id=uuid7(),
        tenant_id=document.tenant_id,
        collection_id=collection.pk,
        document_id=document.pk,
        embedding_model=collection.embedding_model,
        **{name: row[name] for name in CHUNK},
    )
    try:
        chunk.clean_fields(exclude=UNCHECKED)
    except ValidationError as error:
        raise TransferError(f"A chunk in the file is invalid ({', '.join(error.message_dict)}).") from error
    return chunk
