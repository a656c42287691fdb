"""Pages of tables that are too large to count."""

from django.core.paginator import Paginator
from django.utils.functional import cached_property

LIMIT = 10_000


class BoundedPaginator(Paginator):
    """Counts at most `LIMIT` rows; what lies beyond is reached by filters, not by turning pages."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by().values("pk")[:LIMIT].count()
