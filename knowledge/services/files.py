"""Document files in Django's default storage, in one folder per tenant under random names."""

import hashlib
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from knowledge.parsing import SUPPORTED, ParseError, get_suffix
from knowledge.parsing.document import clean_text
from knowledge.parsing.formats import get_reader

READ_SIZE = 64 * 1024
MAX_SPOOLED = 1024 * 1024
# Allowance for the part headers and boundaries of a multipart body.
MULTIPART_OVERHEAD = 64 * 1024


class FileTooLargeError(Exception):
    """The file is larger than `settings.UPLOAD_MAX_BYTES`; the message states the limit."""

    def __init__(self, limit: int) -> None:
        shown = f"{limit // 1024 // 1024} MB" if limit >= 1024 * 1024 else f"{limit} bytes"
        super().__init__(f"The file exceeds the maximum size of {shown}.")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file: its path, size in bytes and SHA-256 checksum."""

    path: str
    size: int
    checksum: str


def check_name(name: str) -> str:
    """Return the cleaned file name.

    Raises:
        ValidationError: If the name is empty or the file type is not supported.
    """
    name = " ".join(clean_text(name).split())[-500:]
    path = PurePath(name)
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" and path.stem else path
    try:
        if not path.name:
            raise ParseError("The file has no name.")
        get_reader(inner)
    except ParseError as error:
        supported = ", ".join(sorted(SUPPORTED))
        raise ValidationError(
            {"file": ValidationError(f"{error}. Supported types: {supported}", code="file_type")}
        ) from None
    return name


def store_file(
    pieces: Iterable[bytes], *, tenant_id: UUID, name: str, folder: str = "documents"
) -> StoredFile:
    """Store the bytes in `pieces`. Call it outside transactions: the storage may be remote.

    Args:
        folder: Folder within the tenant's files.

    Raises:
        FileTooLargeError: If the file exceeds the limit; nothing is stored.
    """
    limit, size, digest = settings.UPLOAD_MAX_BYTES, 0, hashlib.sha256()
    with tempfile.SpooledTemporaryFile(MAX_SPOOLED) as spool:
        for piece in pieces:
            size += len(piece)
            if size > limit:
                raise FileTooLargeError(limit)
            digest.update(piece)
            spool.write(piece)
        spool.seek(0)
        suffix = get_suffix(PurePath(name))[:16]
        path = f"tenants/{tenant_id}/{folder}/{secrets.token_hex(16)}{suffix if suffix.isascii() else ''}"
        # File() reopens a closed file by its name, and a spooled file has no path.
        return StoredFile(default_storage.save(path, File(spool, name="spool")), size, digest.hexdigest())


def compute_checksum(stream: IO[bytes]) -> str:
    """Return the SHA-256 checksum of an open file."""
    digest = hashlib.sha256()
    for piece in iter_bytes(stream):
        digest.update(piece)
    return digest.hexdigest()


def iter_bytes(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of an open file in blocks."""
    while piece := stream.read(READ_SIZE):
        yield piece


@contextmanager
def open_local_file(path: str) -> Iterator[IO[bytes]]:
    """Open the stored file as a local file with a descriptor that a child process can read.

    Raises:
        FileNotFoundError: If the storage does not have the file.
    """
    with default_storage.open(path, "rb") as stored:
        if (real := _get_real_file(stored)) is not None:
            yield real
            return
        with tempfile.TemporaryFile() as copy:
            for piece in iter_bytes(stored):
                copy.write(piece)
            copy.seek(0)
            yield copy


def _get_real_file(stored: File) -> IO[bytes] | None:
    """Return the underlying file if it is a local one."""
    try:
        stored.file.fileno()  # type: ignore[union-attr]
    except (OSError, AttributeError):
        return None
    return stored.file


def delete_file(path: str) -> None:
    """Delete a stored file when the transaction commits; at once outside a transaction."""
    if path:
        transaction.on_commit(lambda: default_storage.delete(path), robust=True)
