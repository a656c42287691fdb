"""Managers that answer within the current scope and raise outside every scope."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Self, TypeVar
from uuid import UUID

from django.db import models
from django.db.models.expressions import DatabaseDefault
from django.utils import timezone

from config.db.ids import uuid7, uuid7_floor, uuid7_time

from .scoping import require_scope

M = TypeVar("M", bound=models.Model)
CLOCK_SKEW = timedelta(minutes=1)
# No clock is so far ahead; the partitions made ahead begin later on all days but the last of a period.
NOT_YET = timedelta(days=1)


class NewestBound(UUID):
    """An id that nothing made so far can reach; a kept statement asks for a new one each time."""


def younger_bound(identifier: UUID) -> UUID:
    """The smallest id that a row made after the row `identifier` can have; clocks may differ by a minute.

    Raises:
        ValueError: when it is not a UUIDv7.
    """
    return uuid7_floor(uuid7_time(identifier) - CLOCK_SKEW)


def newest_bound() -> NewestBound:
    """A bound above every id that exists, which leaves out the partitions that are made ahead."""
    return NewestBound(int=uuid7_floor(timezone.now() + NOT_YET).int)


class HouseQuerySet(models.QuerySet[M]):
    """What every queryset of the house can do."""

    def update(self, **kwargs: Any) -> int:
        """Like Django's, and keeps `updated_at` true."""
        if any(field.name == "updated_at" for field in self.model._meta.concrete_fields):
            kwargs.setdefault("updated_at", timezone.now())
        return super().update(**kwargs)

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        """Like Django's, with ids: it would leave those to the server and never learn them."""
        objs = list(objs)
        for obj in objs:
            if isinstance(obj.pk, DatabaseDefault):
                obj.pk = uuid7()
        return super().bulk_create(objs, *args, **kwargs)

    def younger_than(self, identifier: UUID) -> Self:
        """Rows made after the row `identifier`, which prunes partitions; clocks may differ by a minute.

        Partitions that are made ahead are pruned too: their empty scans cost more than they seem, since with them
        PostgreSQL sorts instead of reading in order.
        """
        return self.filter(id__gte=younger_bound(identifier), id__lt=newest_bound())

    def between(self, start: Any, end: Any) -> Self:
        """Rows made from `start` (inclusive) to `end` (exclusive), by their ids, which prunes partitions."""
        return self.filter(id__gte=uuid7_floor(start), id__lt=uuid7_floor(end))


class ScopedManager(models.Manager.from_queryset(HouseQuerySet)):  # type: ignore[misc]
    """Filters by the scope's tenant, beside the policy: the planner estimates better with both.

    Raises:
        ScopeRequired: outside every scope.
    """

    def get_queryset(self) -> Any:
        scope = require_scope()
        rows = super().get_queryset()
        if scope.tenant_id is not None:
            rows = rows.filter(tenant_id=scope.tenant_id)
        if scope.engagement_id is not None and hasattr(self.model, "engagement_id"):
            rows = rows.filter(engagement_id=scope.engagement_id)
        return rows


class LiveManager(ScopedManager):
    """The scope's rows that are not soft-deleted."""

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(deleted_at=None)

    def including_deleted(self) -> Any:
        """The scope's rows, deleted ones too."""
        return super().get_queryset()
