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
from knowledge.choices import DocumentOrigin, DocumentStatus
from knowledge.models import Chunk, Collection, Document
from knowledge.parsing.document import clean
from knowledge.services.chunks import locked_model
from knowledge.services.collections import get_or_create_collection
from knowledge.services.embedding import TABLES
from knowledge.services.files import FileTooLarge, KeptFile, forget_file, keep_file, local_file, pieces_of
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
# Of one document, which is held in memory.
MAX_CHUNKS, MAX_DOCUMENT = 30_000, 400 * 1024 * 1024
# Left to those who make the chunk, or derived.
UNCHECKED = {"id", "tenant", "collection", "document", "search", "created_at"}

# What the readers of zip and JSON raise on what they do not understand.
DAMAGES = (
    zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, RecursionError, NotImplementedError,
    zlib.error, RuntimeError, FileTooLarge,
)  # fmt: skip


class TransferError(Exception):
    """The file is no collection, or cannot be taken; the message says why, for a person."""


def export_collection(tenant_id: UUID, collection_id: UUID, target: IO[bytes], *, actor: str) -> int:
    """Write the collection to `target`; each document as it is when its turn comes, whole.

    Returns:
        How many documents were written: those with chunks.

    Raises:
        TransferError: when the collection changes to another model meanwhile.
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
        held = {name: getattr(collection, name) for name in COLLECTION}
        archive.writestr("manifest.json", _line({"format": FORMAT, "version": VERSION, "collection": held}))
    return len(lines)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) + "\n"


def _export_document(
    archive: zipfile.ZipFile, number: int, collection: Collection, document_id: UUID, actor: str
) -> str:
    with tenant_scope(collection.tenant_id, actor=actor):
        # The row is locked, so that chunks and vectors are those of one version.
        document = Document.objects.select_for_update().filter(pk=document_id).first()
        if document is None:
            return ""
        chunks = list(Chunk.objects.filter(document_id=document_id).order_by("chunk_index"))
        model, dimensions = locked_model(document.collection_id)
        if model != collection.embedding_model:
            raise TransferError("The collection changed to another model meanwhile; export it again.")
        table = TABLES[dimensions]
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

    The files of its documents are stored first, which may take long; all rows are written in one transaction then.
    Files of a run that was killed between are deleted by upkeep.

    Raises:
        TransferError: when the file is not one, is damaged or too large.
        ValidationError: when the slug is taken or not valid, and when the model is not at hand here.
    """
    kept: dict[int, KeptFile] = {}
    try:
        with zipfile.ZipFile(source) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
                raise TransferError(f"The file is larger than {MAX_UNPACKED // 1024**3} GB when unpacked.")
            fields = _manifest(archive)
            with tenant_scope(tenant_id, actor=actor):
                _refuse_taken(slug)
            kept.update(_files(archive, tenant_id))
            with tenant_scope(tenant_id, actor=actor):
                collection = _make(fields, slug)
                for line in _lines(archive, "documents.jsonl"):
                    _import_document(archive, line, kept.get(_number(line)), collection)
                collection.refresh_from_db()
                return collection
    except BaseException as error:
        for file in kept.values():
            forget_file(file.path)
        if isinstance(error, DAMAGES):
            raise TransferError(f"The file is no collection, or damaged ({type(error).__name__}).") from error
        raise


def _refuse_taken(slug: str) -> None:
    if Collection.objects.filter(slug=slug).exists():
        raise ValidationError(
            {"slug": ValidationError("A collection with this slug exists already.", code="unique")}
        )


def _files(archive: zipfile.ZipFile, tenant_id: UUID) -> Iterator[tuple[int, KeptFile]]:
    """The documents' files, each by its document's number, stored."""
    names, seen = set(archive.namelist()), set()
    for line in _lines(archive, "documents.jsonl"):
        number = _number(line)
        if number in seen:
            raise TransferError("Two documents of the file have one number.")
        seen.add(number)
        if f"files/{number}" in names:
            with archive.open(f"files/{number}") as member:
                yield number, keep_file(pieces_of(member), tenant_id=tenant_id, name=str(line["filename"]))


def _number(line: dict[str, Any]) -> int:
    number = line["number"]
    if type(number) is not int:
        raise TransferError("A document of the file has no number.")
    return number


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    manifest = next(_lines(archive, "manifest.json"), None) or {}
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise TransferError(f"The file is no {FORMAT} of version {VERSION}.")
    held = manifest["collection"]
    return {name: held[name] for name in COLLECTION}


def _make(fields: dict[str, Any], slug: str) -> Collection:
    _refuse_taken(slug)
    if not all(isinstance(fields[name], dict) for name in ("settings", "metadata")):
        raise TransferError("The settings of the file are none.")
    return get_or_create_collection(slug, **fields)[0]


def _lines(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    with archive.open(name) as member:
        while line := member.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise TransferError("A line of the file is too long.")
            row = json.loads(line)
            if not isinstance(row, dict):
                raise TransferError("A line of the file is no object.")
            yield _cleaned(row)


def _cleaned(value: Any) -> Any:
    """JSON without characters that the database refuses; `\\u0000` is one of them."""
    if isinstance(value, dict):
        return {clean(key): _cleaned(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_cleaned(held) for held in value]
    if isinstance(value, float) and not isfinite(value):
        raise TransferError("A number of the file is none.")
    return clean(value) if isinstance(value, str) else value


def _import_document(
    archive: zipfile.ZipFile, line: dict[str, Any], file: KeptFile | None, collection: Collection
) -> None:
    told = {name: line[name] for name in DOCUMENT}
    if file is not None:
        told |= {"file_size": file.size, "checksum": file.checksum}
    document = Document(
        collection=collection,
        storage_path=file.path if file else "",
        origin=DocumentOrigin.IMPORT,
        status=DocumentStatus.INDEXED,
        progress=100,
        uploaded_at=timezone.now(),
        **told,
    )
    if not isinstance(document.metadata, dict):
        raise TransferError("The metadata of a document of the file are none.")
    document.full_clean(exclude=["tenant", "collection"])
    document.save()
    chunks, vectors = _chunks(archive, _number(line), document, collection)
    store_rows(chunks, vectors, dimensions=collection.dimensions)
    document.chunk_count = len(chunks)
    document.save()


def _chunks(
    archive: zipfile.ZipFile, number: int, document: Document, collection: Collection
) -> "tuple[list[Chunk], list[array[float]]]":
    name = f"chunks/{number}.jsonl"
    if archive.getinfo(name).file_size > MAX_DOCUMENT:
        raise TransferError("A document of the file is too large.")
    chunks: list[Chunk] = []
    vectors: list[array[float]] = []
    for row in _lines(archive, name):
        if len(chunks) >= MAX_CHUNKS:
            raise TransferError("A document of the file has too many chunks.")
        chunks.append(_chunk(row, document, collection))
        vectors.append(_unpacked(row.get("vector"), collection.dimensions))
    if len({chunk.chunk_index for chunk in chunks}) < len(chunks):
        raise TransferError("Two chunks of the file have one place.")
    return chunks, vectors


def _chunk(row: dict[str, Any], document: Document, collection: Collection) -> Chunk:
    shapes = {"metadata": dict, "semantic_keywords": list, "extracted_entities": list}
    for name, shape in shapes.items():
        if not isinstance(row[name], shape) and not (row[name] is None and name != "metadata"):
            raise TransferError(f"The {name} of a chunk of the file are none.")
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
        raise TransferError(f"A chunk of the file is not valid ({', '.join(error.message_dict)}).") from error
    return chunk
