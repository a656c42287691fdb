"""Keyset pagination: a page starts after the previous page's last key: the values of its ordering's columns.

Rows are counted on request only, up to `MAX_COUNT`. A cursor is opaque and signed by `django.core.signing`: the
ordering, the direction and the row's key. It gives no access beyond the rows that the credential can see.
"""

from typing import Any, NamedTuple

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
# Bounds the time of a count. The planner's estimate would reveal statistics of all tenants' rows.
MAX_COUNT = 10_000
ESTIMATE = "estimate"
SIGNER: Any = SimpleLazyObject(lambda: Signer(salt="conclave.cursor"))


class CursorPosition(NamedTuple):
    """A row's key in an ordering: the values of its columns. `backward` reads towards the first page."""

    ordering: str
    backward: bool
    values: list[str]


def decode_cursor(text: str, ordering: str) -> CursorPosition:
    """Return the position that a cursor encodes.

    Raises:
        Invalid: the cursor is malformed or belongs to another ordering.
    """
    try:
        position = CursorPosition(*SIGNER.unsign_object(text))
    except (BadSignature, TypeError):
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


def read_count(text: str | None) -> bool:
    """Return whether the request asks for the number of rows.

    Raises:
        Invalid: `text` is another kind of count.
    """
    if text not in (None, ESTIMATE):
        raise Invalid(f"count must be {ESTIMATE}.", code="invalid_count")
    return text is not None


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
        self.names = ordering.split(",")
        if self.names[-1].lstrip("-") != "id":
            # The id makes the ordering unique, in the direction of the last column.
            self.names.append("-id" if self.names[-1].startswith("-") else "id")
        self.fields = [name.lstrip("-") for name in self.names]
        cursor = request.query_params.get("cursor")
        self.position = decode_cursor(cursor, ordering) if cursor else None
        self.wants_count = read_count(request.query_params.get("count"))
        self.count: int | None = None

    def slice(self, queryset: Any) -> Any:
        """Return the rows of this page plus one, in reverse order when paging backward."""
        backward = bool(self.position and self.position.backward)
        descending = [name.startswith("-") ^ backward for name in self.names]
        if self.position:
            queryset = queryset.filter(self._beyond(self.position, queryset.model, descending))
        names = [f"-{field}" if down else field for field, down in zip(self.fields, descending, strict=True)]
        return queryset.order_by(*names)[: self.limit + 1]

    def _beyond(self, position: CursorPosition, model: Any, descending: list[bool]) -> Q:
        """Return the condition of the rows that follow a position in the ordering."""
        try:
            columns = [model._meta.get_field(field) for field in self.fields]
            values = [column.to_python(text) for column, text in zip(columns, position.values, strict=True)]
        except (ValueError, ValidationError):
            raise Invalid("The cursor is invalid.", code="invalid_cursor") from None
        beyond, same = Q(), Q()
        for field, value, down in zip(self.fields, values, descending, strict=True):
            beyond |= same & Q(**{f"{field}__{'lt' if down else 'gt'}": value})
            same &= Q(**{field: value})
        # The first column alone bounds an index scan.
        return Q(**{f"{self.fields[0]}__{'lte' if descending[0] else 'gte'}": values[0]}) & beyond

    def count_rows(self, queryset: Any) -> None:
        """Store the number of rows, at most `MAX_COUNT`."""
        self.count = queryset.order_by().values("pk")[:MAX_COUNT].count()

    def arrange(self, rows: list[Any]) -> list[Any]:
        """Return the rows of this page in the requested order and keep what the links need.

        Args:
            rows: Model instances, or tuples that end with the values of the ordering's columns.
        """
        self.more = len(rows) > self.limit
        rows = rows[: self.limit]
        if self.position and self.position.backward:
            rows.reverse()
        self.ends = [self._key(row) for row in (rows[0], rows[-1])] if rows else []
        return rows

    def _key(self, row: Any) -> list[Any]:
        if isinstance(row, tuple):
            return list(row[-len(self.fields) :])
        return [getattr(row, field) for field in self.fields]

    def get_paginated_response(self, data: list[bytes]) -> Any:
        """Return the page with its links. `data` is the JSON of each row."""
        following, preceding = self._links()
        links = []
        if self.position:
            links.append((remove_query_param(self.request.build_absolute_uri(), "cursor"), "first"))
        links += [(url, rel) for url, rel in ((preceding, "prev"), (following, "next")) if url]
        headers = {"Link": ", ".join(f'<{url}>; rel="{rel}"' for url, rel in links)} if links else None
        head = b'{"next":' + dumps(following) + b',"previous":' + dumps(preceding)
        if self.count is not None:
            head += b',"count_estimate":' + dumps(self.count)
        head += b',"results":['
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

    def _url(self, key: list[Any], backward: bool) -> str:
        values = [value.isoformat() if hasattr(value, "isoformat") else str(value) for value in key]
        cursor = SIGNER.sign_object([self.ordering, backward, values])
        return replace_query_param(self.request.build_absolute_uri(), "cursor", cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        text = f"Number of results, at most {MAX_COUNT}. Only with `count=estimate`."
        count = {"type": "integer", "minimum": 0, "maximum": MAX_COUNT, "description": text}
        properties = {"next": link, "previous": link, "count_estimate": count, "results": schema}
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
            {
                "name": "count",
                "in": "query",
                "schema": {"type": "string", "enum": [ESTIMATE]},
                "description": f"Return the number of results, at most {MAX_COUNT}, in `count_estimate`.",
            },
        ]
