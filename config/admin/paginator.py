"""Pagination of tables that are too large to count."""

from django.core.paginator import Paginator
from django.utils.functional import cached_property

MAX_COUNT = 10_000


class BoundedPaginator(Paginator):
    """Paginator that counts at most `LIMIT` rows; filters reach the rows beyond it."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by().values("pk")[:MAX_COUNT].count()
