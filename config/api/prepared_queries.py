"""Cache of compiled SQL statements that differ only in ids.

Building and compiling a queryset costs more CPU than PostgreSQL needs to run it. So the queryset is built twice with
different placeholder ids for tenant, user, credential and URL. If both SQL texts are equal, and every parameter that
differs is one of those ids or a bound of `created_after_id`, the SQL is cached with one slot per id. If any other
parameter differs, it was derived from an id in an unknown way: nothing is cached, and each request compiles its own
statement. PostgreSQL caches the plan of a prepared statement too, once per connection.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.http import Http404
from django.utils import timezone
from psycopg.sql import Literal

from config.db.ids import uuid7
from config.db.session import ScopeError
from config.tenancy.managers import MaxIdBound, max_id_bound, min_id_bound
from config.tenancy.scope import tenant_scope

MAX_CACHED = 2000
BOUND = "younger than "
NEWEST = "not yet made"
Build = Callable[[dict[str, UUID]], Any]
_cache: dict[Any, "PreparedStatement | None"] = {}


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """SQL with inlined constants and the name of the id for each remaining placeholder."""

    sql: str
    slots: tuple[str, ...]

    def rows(self, ids: dict[str, UUID]) -> list[tuple[Any, ...]]:
        """Run the statement with these ids and return all rows.

        Raises:
            ValueError: the statement needs the time of an id that is not a UUIDv7.
        """
        params = [_slot_value(name, ids) for name in self.slots]
        with connection.prepared_cursor() as cursor:
            cursor.execute(self.sql, params)
            return cursor.fetchall()


def _slot_value(slot: str, ids: dict[str, UUID]) -> UUID:
    if slot == NEWEST:
        return max_id_bound()
    plain = ids.get(slot)
    return min_id_bound(ids[slot.removeprefix(BOUND)]) if plain is None else plain


def inline_constants(sql: str, params: tuple[Any, ...], names: list[str | None]) -> PreparedStatement:
    """Inline all parameters except those with a name, which become slots.

    With server-side binding PostgreSQL cannot infer the type of every text parameter; ids have a type.
    """
    values = iter(zip(params, names, strict=True))

    def substitute(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%%"
        value, name = next(values)
        return "%s" if name else Literal(value).as_string(connection.connection).replace("%", "%%")

    return PreparedStatement(re.sub("%[%s]", substitute, sql), tuple(name for name in names if name))


def placeholder_ids(names: tuple[str, ...], turn: int) -> dict[str, UUID]:
    """Return one placeholder id per name, at distinct times, so that derived bounds differ."""
    start = timezone.now() + timedelta(days=turn)
    return {name: uuid7(start + timedelta(milliseconds=place)) for place, name in enumerate(names)}


def request_ids(view: Any, **more: Any) -> dict[str, UUID] | None:
    """Return the ids of a request by name, or None if its URL contains other values."""
    credential = view.credential
    ids = {"tenant": credential.tenant_id, "user": credential.user_id, "credential": credential.id, **more}
    ids |= {f"address:{name}": value for name, value in view.kwargs.items()}
    return ids if all(isinstance(value, UUID) for value in ids.values()) else None


def fetch_prepared(
    view: Any, shape: tuple[Any, ...], build: Build, **more: UUID
) -> list[tuple[Any, ...]] | None:
    """Run the cached statement; None if the query cannot be cached.

    Args:
        shape: Everything besides ids that determines the statement.
        build: Builds the queryset (of tuples) from `more`, which are ids too.
    """
    ids = request_ids(view, **more)
    if ids is None:
        return None
    credential = view.credential
    key = (
        type(view),
        view.action,
        credential.kind,
        credential.role,
        credential.scopes,
        credential.key_scopes,
        tuple(ids),
        shape,
    )
    if key not in _cache:
        if len(_cache) >= MAX_CACHED:
            _cache.clear()
        _cache[key] = _compile(view, build, tuple(more), tuple(ids))
    statement = _cache[key]
    try:
        return None if statement is None else statement.rows(ids)
    except ValueError:
        return None


def _compile(
    view: Any, build: Build, more: tuple[str, ...], names: tuple[str, ...]
) -> PreparedStatement | None:
    # Binds the transaction to the real tenant, so that it rejects any statement under a placeholder tenant.
    connection.ensure_scope()
    made = []
    for turn in range(2):
        ids = placeholder_ids(names, turn)
        try:
            with _impersonate(view, ids):
                sql, params = build({name: ids[name] for name in more}).query.sql_with_params()
        except (EmptyResultSet, ScopeError, Http404):
            # The queryset is empty, or building it needs a query.
            return None
        bounds = {min_id_bound(value): BOUND + name for name, value in ids.items()}
        made.append((sql, params, bounds | {value: name for name, value in ids.items()}))
    (sql, first, known), (other_sql, second, other_known) = made
    if sql != other_sql or len(first) != len(second):
        return None
    names_found: list[str | None] = []
    for one, two in zip(first, second, strict=True):
        name = _slot_name(one, known)
        if name is not None and name == _slot_name(two, other_known):
            names_found.append(name)
        elif type(one) is type(two) and one == two:
            names_found.append(None)
        else:
            return None
    return inline_constants(sql, tuple(first), names_found)


def _slot_name(value: Any, known: dict[UUID, str]) -> str | None:
    """Return the slot name of a parameter, or None for a constant."""
    if isinstance(value, MaxIdBound):
        return NEWEST
    return known.get(value) if isinstance(value, UUID) else None


@contextmanager
def _impersonate(view: Any, ids: dict[str, UUID]) -> Iterator[None]:
    """Give the view and scope placeholder ids. The backend rejects statements in the block."""
    auth, kwargs = view.request.auth, view.kwargs
    view.request.auth = replace(auth, tenant_id=ids["tenant"], user_id=ids["user"], id=ids["credential"])
    view.kwargs = {name: ids[f"address:{name}"] for name in kwargs}
    try:
        with tenant_scope(ids["tenant"], user=ids["user"], actor="system:compile"):
            yield
    finally:
        view.request.auth, view.kwargs = auth, kwargs
