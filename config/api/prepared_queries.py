"""Cache of compiled SQL statements that differ only in ids.

Building and compiling a queryset costs more CPU than PostgreSQL needs to run it. So the queryset is built twice, on a
copy of the view whose tenant, user, credential and URL are placeholder ids with other values each time. If both SQL
texts are equal, and every parameter that differs is a placeholder or a bound of `created_after_id`, the SQL is cached
with one slot per id. If any other parameter differs, it was derived from an id in an unknown way: nothing is cached,
and each request compiles its own statement. PostgreSQL caches the plan of a prepared statement too, once per
connection.
"""

import copy
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.http import Http404, QueryDict
from django.utils import timezone
from psycopg.sql import Literal

from config.db.ids import uuid7
from config.db.prepared import run_prepared
from config.db.session import ScopeError
from config.tenancy.managers import max_id_bound, min_id_bound
from config.tenancy.scope import tenant_scope

from .credentials import Credential, Principal

# Query parameters whose values are part of the key (`shape`).
CACHEABLE_PARAMETERS = frozenset({"fields", "expand", "limit", "ordering"})
MAX_CACHED = 2000
# Slots besides the ids: the bound of rows created after the id of this name.
MIN_ID = "min_id:"
Ids = Mapping[str, UUID]
# Builds the queryset (of tuples) for a view and the ids that the caller passed by name.
Build = Callable[[Any, Ids], Any]
_cache: dict[Any, "PreparedStatement | None"] = {}


class PlaceholderId(UUID):
    """An id that stands for a slot while a statement is compiled."""

    slot: str

    def __init__(self, slot: str, value: UUID) -> None:
        super().__init__(int=value.int)
        object.__setattr__(self, "slot", slot)

    def __reduce__(self) -> Any:
        return PlaceholderId, (self.slot, UUID(int=self.int))


@dataclass(frozen=True, slots=True)
class PlaceholderRequest:
    """The parts of a request that a cached statement may depend on. Reading any other part prevents caching."""

    auth: Credential
    user: Principal
    GET: QueryDict

    @property
    def query_params(self) -> QueryDict:
        return self.GET


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """SQL with inlined constants and the name of the id for each remaining placeholder."""

    sql: str
    slots: tuple[str, ...]

    def rows(self, ids: Ids) -> list[tuple[Any, ...]]:
        """Run the statement with these ids and return all rows.

        Raises:
            ValueError: the statement needs the time of an id that is not a UUIDv7.
        """
        return run_prepared(self.sql, [_slot_value(slot, ids) for slot in self.slots])


def _slot_value(slot: str, ids: Ids) -> UUID:
    return ids[slot] if slot in ids else min_id_bound(ids[slot.removeprefix(MIN_ID)])


def inline_constants(sql: str, params: tuple[Any, ...], slots: list[str | None]) -> PreparedStatement:
    """Inline all parameters except those with a slot.

    With server-side binding PostgreSQL cannot infer the type of every text parameter; ids have a type.
    """
    values = iter(zip(params, slots, strict=True))

    def substitute(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%%"
        value, slot = next(values)
        return "%s" if slot else Literal(value).as_string(connection.connection).replace("%", "%%")

    return PreparedStatement(re.sub("%[%s]", substitute, sql), tuple(slot for slot in slots if slot))


def placeholder_ids(slots: tuple[str, ...], turn: int) -> dict[str, PlaceholderId]:
    """Return one placeholder id per slot, at distinct times, so that derived bounds differ."""
    start = timezone.now() + timedelta(days=turn)
    return {
        slot: PlaceholderId(slot, uuid7(start + timedelta(milliseconds=place)))
        for place, slot in enumerate(slots)
    }


def bind_placeholders(view: Any, ids: dict[str, PlaceholderId]) -> Any:
    """Return a copy of the view for a request with these ids. The view and its request stay as they are."""
    tenant, user = ids["tenant"], ids["user"]
    auth = replace(
        view.credential,
        id=ids["credential"],
        tenant_id=tenant,
        tenant_slug=str(tenant),
        user_id=user,
        engagement_id=ids.get("engagement"),
    )
    bound = copy.copy(view)
    bound.request = PlaceholderRequest(auth, Principal(user), view.request.GET)
    bound.kwargs = {name: ids[f"url:{name}"] for name in view.kwargs}
    return bound


def fetch_prepared(view: Any, shape: tuple[Any, ...], build: Build, **more: UUID) -> list[tuple[Any, ...]]:
    """Return the rows of a queryset, by its cached statement if it has one.

    Args:
        shape: Everything besides ids that determines the statement.
        build: Builds the queryset (of tuples) from the view and `more`, which are ids too.
    """
    credential = view.credential
    ids = {"tenant": credential.tenant_id, "user": credential.user_id, "credential": credential.id, **more}
    if credential.engagement_id is not None:
        ids["engagement"] = credential.engagement_id
    ids |= {f"url:{name}": value for name, value in view.kwargs.items()}
    statement = None
    if view.request.GET.keys() <= CACHEABLE_PARAMETERS and all(
        isinstance(each, UUID) for each in ids.values()
    ):
        rights = (credential.kind, credential.role, credential.scopes, credential.key_scopes)
        # Statements contain the upper bound of `created_after_id`: plans then have no partitions created in advance.
        key = (type(view), view.action, *rights, tuple(ids), shape, max_id_bound())
        if key not in _cache:
            if len(_cache) >= MAX_CACHED:
                _cache.clear()
            _cache[key] = _compile(view, build, tuple(ids))
        statement = _cache[key]
    if statement is not None:
        with suppress(ValueError):
            return statement.rows(ids)
    return list(build(view, more))


def _compile(view: Any, build: Build, slots: tuple[str, ...]) -> PreparedStatement | None:
    # Binds the transaction to the real tenant, so that it rejects any statement under a placeholder tenant.
    connection.ensure_scope()  # type: ignore[attr-defined]
    built = []
    for turn in range(2):
        ids = placeholder_ids(slots, turn)
        try:
            with tenant_scope(
                ids["tenant"], user=ids["user"], engagement=ids.get("engagement"), actor="system:compile"
            ):
                sql, params = build(bind_placeholders(view, ids), ids).query.sql_with_params()
        except (AttributeError, EmptyResultSet, Http404, ScopeError):
            # Building reads another part of the request or needs a query, or the queryset is empty.
            return None
        bounds = {min_id_bound(value): MIN_ID + slot for slot, value in ids.items()}
        built.append((sql, params, [_find_slot(value, bounds) for value in params]))
    (sql, first, found), (other_sql, second, other_found) = built
    if sql != other_sql or found != other_found:
        return None
    for one, two, slot in zip(first, second, found, strict=True):
        if slot is None and (type(one) is not type(two) or one != two):
            return None
    return inline_constants(sql, first, found)


def _find_slot(value: Any, bounds: dict[UUID, str]) -> str | None:
    """Return the slot of a parameter, or None for a constant."""
    if isinstance(value, PlaceholderId):
        return value.slot
    return bounds.get(value) if isinstance(value, UUID) else None
