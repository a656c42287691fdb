"""A collection as one file, out and in: a zip of its documents' files, chunks and vectors.

    manifest.json        what it is: format, version, the collection's own fields
    documents.jsonl      a line for each document, with its number
    chunks/<number>.jsonl  a line for each of its chunks, with the vector (base64 of 32-bit floats, little-endian)
    files/<number>       the document's file, where it was kept

Ids are made anew; nothing of the file names rows that are there.
"""

import base64
import json
import sys
import zipfile
from array import array
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime

from config.db.ids import uuid7
from knowledge.choices import DocumentOrigin, DocumentStatus
from knowledge.models import Chunk, Collection, Document
from knowledge.parsing.document import clean
from knowledge.services.collections import delete_collection, get_or_create_collection
from knowledge.services.embedding import TABLES
from knowledge.services.files import FileTooLarge, keep_file, local_file, pieces_of
from knowledge.services.storing import store_rows
from tenants.scoping import tenant_scope

FORMAT, VERSION = "conclave-collection", 1
COLLECTION = ("name", "description", "embedding_model", "chunk_size", "chunk_overlap", "settings", "metadata")
DOCUMENT = (
    "title",
    "filename",
    "source",
    "file_type",
    "file_size",
    "checksum",
    "indexed_checksum",
    "metadata",
)
CHUNK = (
    "chunk_index", "content", "context", "page", "start", "end", "token_count", "semantic_keywords",
    "semantic_category", "semantic_summary", "extracted_entities", "metadata",
)  # fmt: skip
MAX_UNPACKED = 4 * 1024**3
MAX_LINE = 4 * 1024 * 1024
MAX_CHUNKS = 100_000


class TransferError(Exception):
    """The file is no collection, or cannot be taken; the message says why, for a person."""


def export_collection(tenant_id: UUID, collection_id: UUID, target: IO[bytes], *, actor: str) -> int:
    """Write the collection to `target`; each document as it is when its turn comes, whole.

    Returns:
        How many documents were written: those with chunks.
    """
    with tenant_scope(tenant_id, actor=actor):
        collection = Collection.objects.get(pk=collection_id)
        documents = Document.objects.filter(collection_id=collection_id, chunk_count__gt=0)
        ids = list(documents.order_by("id").values_list("pk", flat=True))
    lines = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, document_id in enumerate(ids):
            if line := _export_document(archive, number, tenant_id, document_id, actor):
                lines.append(line)
        archive.writestr("documents.jsonl", "".join(lines))
        held = {name: getattr(collection, name) for name in COLLECTION}
        archive.writestr("manifest.json", _line({"format": FORMAT, "version": VERSION, "collection": held}))
    return len(lines)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) + "\n"


def _export_document(
    archive: zipfile.ZipFile, number: int, tenant_id: UUID, document_id: UUID, actor: str
) -> str:
    with tenant_scope(tenant_id, actor=actor):
        # The row is locked, so that chunks and vectors are those of one version.
        document = Document.objects.select_for_update().filter(pk=document_id).first()
        if document is None:
            return ""
        chunks = list(Chunk.objects.filter(document_id=document_id).order_by("chunk_index"))
        table = TABLES[Collection.objects.get(pk=document.collection_id).dimensions]
        vectors = dict(table.objects.filter(pk__in=[c.pk for c in chunks]).values_list("pk", "embedding"))
    with archive.open(f"chunks/{number}.jsonl", "w") as out:
        for chunk in chunks:
            row = {name: getattr(chunk, name) for name in CHUNK} | {"vector": _packed(vectors[chunk.pk])}
            out.write(_line(row).encode())
    if document.storage_path:
        # A file that the storage has lost is missing there too; its chunks are not.
        with (
            suppress(FileNotFoundError),
            local_file(document.storage_path) as stream,
            archive.open(f"files/{number}", "w") as out,
        ):
            for piece in pieces_of(stream):
                out.write(piece)
    return _line({"number": number} | {name: getattr(document, name) for name in DOCUMENT})


def _packed(vector: Any) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()


def _unpacked(text: Any, dimensions: int) -> "array[float]":
    numbers = array("f")
    try:
        numbers.frombytes(base64.b64decode(text, validate=True))
    except (ValueError, TypeError) as error:
        raise TransferError("A vector of the file is damaged.") from error
    if sys.byteorder == "big":
        numbers.byteswap()
    if len(numbers) != dimensions or not all(abs(number) < 65504 for number in numbers):
        raise TransferError(f"A vector of the file is not one of {dimensions} numbers.")
    return numbers


def import_collection(tenant_id: UUID, source: IO[bytes], *, slug: str, actor: str) -> Collection:
    """Make the collection `slug` of a file that was exported, here or elsewhere; all of it or nothing.

    Raises:
        TransferError: when the file is not one, is damaged or too large.
        ValidationError: when the slug is taken or not valid, and when the model is not at hand here.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
                raise TransferError(f"The file is larger than {MAX_UNPACKED // 1024**3} GB when unpacked.")
            collection = _make(tenant_id, _manifest(archive), slug, actor)
            try:
                for line in _lines(archive, "documents.jsonl"):
                    _import_document(archive, line, tenant_id, collection, actor)
            except BaseException:
                _undo(tenant_id, collection, actor)
                raise
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, FileTooLarge) as error:
        raise TransferError(f"The file is no collection, or damaged ({type(error).__name__}).") from error
    with tenant_scope(tenant_id, actor=actor):
        return Collection.objects.get(pk=collection.pk)


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    manifest = next(_lines(archive, "manifest.json"), None) or {}
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise TransferError(f"The file is no {FORMAT} of version {VERSION}.")
    held = manifest["collection"]
    return {name: held[name] for name in COLLECTION}


def _make(tenant_id: UUID, fields: dict[str, Any], slug: str, actor: str) -> Collection:
    with tenant_scope(tenant_id, actor=actor):
        collection, made = get_or_create_collection(slug, **fields)
    if not made:
        raise ValidationError(
            {"slug": ValidationError("A collection with this slug exists already.", code="unique")}
        )
    return collection


def _lines(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    with archive.open(name) as member:
        while line := member.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise TransferError("A line of the file is too long.")
            row = json.loads(clean(line.decode()))
            if not isinstance(row, dict):
                raise TransferError("A line of the file is no object.")
            yield row


def _import_document(
    archive: zipfile.ZipFile, line: dict[str, Any], tenant_id: UUID, collection: Collection, actor: str
) -> None:
    number, path = int(line["number"]), ""
    if f"files/{number}" in archive.namelist():
        with archive.open(f"files/{number}") as member:
            path = keep_file(pieces_of(member), tenant_id=tenant_id, name=str(line["filename"])).path
    rows = list(_lines(archive, f"chunks/{number}.jsonl"))
    if len(rows) > MAX_CHUNKS:
        raise TransferError("A document of the file has too many chunks.")
    vectors = [_unpacked(row.get("vector"), collection.dimensions) for row in rows]
    with tenant_scope(tenant_id, actor=actor):
        document = Document(
            collection=collection,
            storage_path=path,
            origin=DocumentOrigin.IMPORT,
            status=DocumentStatus.INDEXED,
            progress=100,
            uploaded_at=parse_datetime(str(line.get("uploaded_at") or "")),
            **{name: line[name] for name in DOCUMENT},
        )
        document.full_clean(exclude=["tenant", "collection"])
        document.save()
        _import_chunks(document, collection, rows, vectors)


def _import_chunks(
    document: Document, collection: Collection, rows: list[dict[str, Any]], vectors: "list[array[float]]"
) -> None:
    chunks = [
        Chunk(
            id=uuid7(),
            tenant_id=document.tenant_id,
            collection_id=collection.pk,
            document_id=document.pk,
            embedding_model=collection.embedding_model,
            **{name: row[name] for name in CHUNK},
        )
        for row in rows
    ]
    store_rows(chunks, vectors, dimensions=collection.dimensions)
    document.chunk_count = len(chunks)
    document.save()


def _undo(tenant_id: UUID, collection: Collection, actor: str) -> None:
    with tenant_scope(tenant_id, actor=actor):
        delete_collection(collection)
