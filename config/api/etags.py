"""Entity tags (RFC 9110, section 8.8). A row's version is the transaction that wrote it.

The tag is an HMAC of the version, because transaction ids reveal how much the whole installation writes.
"""

import zlib
from typing import Any

from django.db import models
from django.db.models.expressions import RawSQL
from django.utils.crypto import salted_hmac

from .exceptions import PreconditionFailed


def version_of(model: type[models.Model]) -> RawSQL:
    """Return an expression for the row's version, PostgreSQL's `xmin`."""
    return RawSQL(f'"{model._meta.db_table}".xmin::text', (), models.TextField())  # noqa: S611 - the model's own table


def make_etag(identifier: Any, version: str, shape: str = "") -> str:
    """Return the entity tag of a row's representation. `shape` distinguishes selections of fields."""
    tag = _hash_version(identifier, version)
    return f'"{tag}-{zlib.crc32(shape.encode()):x}"' if shape else f'"{tag}"'


def _hash_version(identifier: Any, version: str) -> str:
    """Return 128 bits, different for each row, so that rows of one transaction cannot be related."""
    return salted_hmac("config.api.etags", f"{identifier}:{version}", algorithm="sha256").hexdigest()[:32]


def _split_tags(header: str) -> list[str]:
    return [part.strip().removeprefix("W/") for part in header.split(",") if part.strip()]


def not_modified(request: Any, etag: str) -> bool:
    """Return whether `If-None-Match` matches this representation."""
    header = request.META.get("HTTP_IF_NONE_MATCH", "")
    return bool(header) and (header.strip() == "*" or etag in _split_tags(header))


def require_match(request: Any, identifier: Any, version: str) -> None:
    """Check `If-Match` against the version of a locked row, ignoring the selection of fields.

    Raises:
        PreconditionFailed: `If-Match` names another version.
    """
    header = request.META.get("HTTP_IF_MATCH", "")
    if not header or header.strip() == "*":
        return
    versions = {tag.strip('"').partition("-")[0] for tag in _split_tags(header)}
    if _hash_version(identifier, version) not in versions:
        raise PreconditionFailed
