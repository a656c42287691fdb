"""The files of documents: kept in Django's default storage, a folder for each tenant, under random names."""

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
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from knowledge.parsing import suffix_of

PIECE = 64 * 1024
IN_MEMORY = 1024 * 1024
# What a multipart body holds beside the file: its names and borders.
AROUND_BYTES = 64 * 1024


class FileTooLarge(Exception):
    """A file is larger than `settings.UPLOAD_MAX_BYTES`; the message names the limit."""

    def __init__(self, limit: int) -> None:
        shown = f"{limit // 1024 // 1024} MB" if limit >= 1024 * 1024 else f"{limit} bytes"
        super().__init__(f"The file is larger than {shown}, the most that is taken.")


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file in the storage: its path there, its bytes, its SHA-256."""

    path: str
    size: int
    checksum: str


def keep_file(pieces: Iterable[bytes], *, tenant_id: UUID, name: str, folder: str = "documents") -> KeptFile:
    """Store what `pieces` hold; call it outside any transaction, a storage may be far away.

    Args:
        folder: of the tenant's files.

    Raises:
        FileTooLarge: nothing is kept then.
    """
    limit, size, digest = settings.UPLOAD_MAX_BYTES, 0, hashlib.sha256()
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
        for piece in pieces:
            size += len(piece)
            if size > limit:
                raise FileTooLarge(limit)
            digest.update(piece)
            spool.write(piece)
        spool.seek(0)
        suffix = suffix_of(PurePath(name))[:16]
        wanted = f"tenants/{tenant_id}/{folder}/{secrets.token_hex(16)}{suffix if suffix.isascii() else ''}"
        # A closed file would be opened again by its name, which a spool has none of.
        return KeptFile(default_storage.save(wanted, File(spool, name="spool")), size, digest.hexdigest())


def checksum_of(stream: IO[bytes]) -> str:
    """SHA-256 of an open file's bytes."""
    digest = hashlib.sha256()
    for piece in pieces_of(stream):
        digest.update(piece)
    return digest.hexdigest()


def pieces_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The bytes of an open file, piece by piece."""
    while piece := stream.read(PIECE):
        yield piece


@contextmanager
def local_file(path: str) -> Iterator[IO[bytes]]:
    """The stored file as a real one of this machine, which a child process may read.

    Raises:
        FileNotFoundError: when the storage has lost it.
    """
    with default_storage.open(path, "rb") as stored:
        if (real := _real_file(stored)) is not None:
            yield real
            return
        with tempfile.TemporaryFile() as copy:
            for piece in pieces_of(stored):
                copy.write(piece)
            copy.seek(0)
            yield copy


def _real_file(stored: File) -> IO[bytes] | None:
    """The file beneath, when it is one of this machine."""
    try:
        stored.file.fileno()
    except (OSError, AttributeError):
        return None
    return stored.file


def forget_file(path: str) -> None:
    """Delete a stored file when the transaction ends well; at once outside any."""
    if path:
        transaction.on_commit(lambda: default_storage.delete(path), robust=True)
