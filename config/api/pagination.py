"""Keyset pagination: a page starts after the previous page's last (ordering value, id).

Rows are never counted. A cursor is opaque and signed by `django.core.signing`: the ordering, the direction and the
row's key. It gives no access beyond the rows that the credential can see.
"""

from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.db.models import Q
from django.utils.functional import SimpleLazyObject
from rest_framework.pagination import BasePagination
from rest_framework.utils.urls import remove_query_param, replace_query_param

from .exceptions import Invalid
from .renderers import dumps
from .views import json_response

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
SIGNER: Any = SimpleLazyObject(lambda: Signer(salt="conclave.cursor"))


class CursorPosition(NamedTuple):
    """A row's key in an ordering. `backward` reads towards the first page."""

    ordering: str
    backward: bool
    value: str
    id: str


def decode_cursor(text: str, ordering: str) -> CursorPosition:
    """Return the position that a cursor encodes.

    Raises:
        Invalid: the cursor is malformed or belongs to another ordering.
    """
    try:
        position = CursorPosition(*SIGNER.unsign_object(text))
    except BadSignature:
        raise Invalid("The cursor is invalid.", code="invalid_cursor") from None
    if position.ordering != ordering:
        raise Invalid(
            "The cursor was created for a different ordering. Request the first page again.",
            code="invalid_cursor",
        )
    return position


def read_limit(text: str | None) -> int:
    """Return the page size.

    Raises:
        Invalid: `text` is not an integer from 1 to `MAX_LIMIT`.
    """
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_LIMIT):
        raise Invalid(f"limit must be an integer from 1 to {MAX_LIMIT}.", code="invalid_limit")
    return int(text)


class KeysetPagination(BasePagination):
    """Keyset pagination by `cursor` and `limit`.

    Responses contain `next`, `previous` and `results`, and a `Link` header (RFC 8288).
    """

    def begin(self, request: Any, ordering: str) -> None:
        """Read `limit` and `cursor` from the query string.

        Raises:
            Invalid: one of them is invalid.
        """
        self.request = request
        self.limit = read_limit(request.query_params.get("limit"))
        self.ordering = ordering
        self.field = ordering.lstrip("-")
        cursor = request.query_params.get("cursor")
        self.position = decode_cursor(cursor, ordering) if cursor else None

    def slice(self, queryset: Any) -> Any:
        """Return the rows of this page plus one, in reverse order when paging backward."""
        descending = self.ordering.startswith("-")
        if self.position:
            descending ^= self.position.backward
            queryset = queryset.filter(self._beyond(self.position, queryset.model, descending))
        sign = "-" if descending else ""
        names = [f"{sign}id"] if self.field == "id" else [f"{sign}{self.field}", f"{sign}id"]
        return queryset.order_by(*names)[: self.limit + 1]

    def _beyond(self, position: CursorPosition, model: Any, descending: bool) -> Q:
        operator = "lt" if descending else "gt"
        try:
            identifier = UUID(position.id)
            value = model._meta.get_field(self.field).to_python(position.value)
        except (ValueError, ValidationError):
            raise Invalid("The cursor is invalid.", code="invalid_cursor") from None
        if self.field == "id":
            return Q(**{f"id__{operator}": identifier})
        same = Q(**{self.field: value, f"id__{operator}": identifier})
        return Q(**{f"{self.field}__{operator}e": value}) & (Q(**{f"{self.field}__{operator}": value}) | same)

    def arrange(self, rows: list[Any]) -> list[Any]:
        """Return the rows of this page in the requested order and keep what the links need.

        Args:
            rows: Model instances, or tuples that end with the ordering value and the id.
        """
        self.more = len(rows) > self.limit
        rows = rows[: self.limit]
        if self.position and self.position.backward:
            rows.reverse()
        self.ends = [self._key(row) for row in (rows[0], rows[-1])] if rows else []
        return rows

    def _key(self, row: Any) -> tuple[Any, Any]:
        return row[-2:] if isinstance(row, tuple) else (getattr(row, self.field), row.pk)

    def get_paginated_response(self, data: list[bytes]) -> Any:
        """Return the page with its links. `data` is the JSON of each row."""
        following, preceding = self._links()
        links = []
        if self.position:
            links.append((remove_query_param(self.request.build_absolute_uri(), "cursor"), "first"))
        links += [(url, rel) for url, rel in ((preceding, "prev"), (following, "next")) if url]
        headers = {"Link": ", ".join(f'<{url}>; rel="{rel}"' for url, rel in links)} if links else None
        head = b'{"next":' + dumps(following) + b',"previous":' + dumps(preceding) + b',"results":['
        return json_response(head + b",".join(data) + b"]}", headers=headers)

    def _links(self) -> tuple[str | None, str | None]:
        """Return the URLs of the next and previous page."""
        if not self.ends:
            return None, None
        first, last = self.ends
        backward = bool(self.position and self.position.backward)
        following = self._url(last, False) if self.more or backward else None
        preceding = self._url(first, True) if (self.more if backward else self.position) else None
        return following, preceding

    def _url(self, key: tuple[Any, Any], backward: bool) -> str:
        value = key[0].isoformat() if hasattr(key[0], "isoformat") else str(key[0])
        cursor = SIGNER.sign_object([self.ordering, backward, value, str(key[1])])
        return replace_query_param(self.request.build_absolute_uri(), "cursor", cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        properties = {"next": link, "previous": link, "results": schema}
        return {"type": "object", "required": ["next", "previous", "results"], "properties": properties}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        return [
            {
                "name": "cursor",
                "in": "query",
                "schema": {"type": "string"},
                "description": "Cursor of the page, taken from `next` or `previous`.",
            },
            {
                "name": "limit",
                "in": "query",
                "schema": limit,
                "description": "Maximum number of results per page.",
            },
        ]
