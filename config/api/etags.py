"""Entity tags (RFC 9110, section 8.8). A row's version is the transaction that wrote it."""

import zlib
from typing import Any

from django.db import models
from django.db.models.expressions import RawSQL

from .exceptions import PreconditionFailed


def version_of(model: type[models.Model]) -> RawSQL:
    """Return an expression for the row's version, PostgreSQL's `xmin`."""
    return RawSQL(f'"{model._meta.db_table}".xmin::text', (), models.TextField())  # noqa: S611 - the model's own table


def make_etag(version: str, shape: str = "") -> str:
    """Return the entity tag of a representation. `shape` distinguishes selections of fields."""
    return f'"{version}-{zlib.crc32(shape.encode()):x}"' if shape else f'"{version}"'


def _split_tags(header: str) -> list[str]:
    return [part.strip().removeprefix("W/") for part in header.split(",") if part.strip()]


def not_modified(request: Any, etag: str) -> bool:
    """Return whether `If-None-Match` matches this representation."""
    header = request.META.get("HTTP_IF_NONE_MATCH", "")
    return bool(header) and (header.strip() == "*" or etag in _split_tags(header))


def require_match(request: Any, version: str) -> None:
    """Check `If-Match` against the version of a locked row, ignoring the selection of fields.

    Raises:
        PreconditionFailed: `If-Match` names another version.
    """
    header = request.META.get("HTTP_IF_MATCH", "")
    if not header or header.strip() == "*":
        return
    versions = {tag.strip('"').partition("-")[0] for tag in _split_tags(header)}
    if version not in versions:
        raise PreconditionFailed
