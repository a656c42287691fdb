"""Entity tags (RFC 9110, section 8.8): a row's version is the transaction that wrote it."""

import zlib
from typing import Any

from django.db import models
from django.db.models.expressions import RawSQL

from .exceptions import PreconditionFailed


def version_of(model: type[models.Model]) -> RawSQL:
    """The row's version, PostgreSQL's `xmin`, to select beside it."""
    return RawSQL(f'"{model._meta.db_table}".xmin::text', (), models.TextField())  # noqa: S611 - the model's own table


def make_etag(version: str, shape: str = "") -> str:
    """The tag of a representation; `shape` tells choices of fields apart."""
    return f'"{version}-{zlib.crc32(shape.encode()):x}"' if shape else f'"{version}"'


def _listed(header: str) -> list[str]:
    return [part.strip().removeprefix("W/") for part in header.split(",") if part.strip()]


def not_modified(request: Any, etag: str) -> bool:
    """Whether the client has this representation already."""
    header = request.META.get("HTTP_IF_NONE_MATCH", "")
    return bool(header) and (header.strip() == "*" or etag in _listed(header))


def require_match(request: Any, version: str) -> None:
    """Refuse a change of a row that is not the one the client read, whichever fields it read.

    Raises:
        PreconditionFailed: when `If-Match` names another version. Call it with the row locked.
    """
    header = request.META.get("HTTP_IF_MATCH", "")
    if not header or header.strip() == "*":
        return
    versions = {tag.strip('"').partition("-")[0] for tag in _listed(header)}
    if version not in versions:
        raise PreconditionFailed
