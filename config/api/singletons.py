"""Singleton resources: one row per caller, such as the current tenant or user."""

from typing import Any

from django.http import HttpResponse

from .viewsets import ReadOnlyTenantViewSet, UpdateMixin


class SingletonViewSet(ReadOnlyTenantViewSet):
    """Read-only singleton. `own_id()` returns the id of the caller's row."""

    pagination_class = None
    filter_backends = ()

    def own_id(self) -> Any:
        """Return the id of the caller's row."""
        raise NotImplementedError

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Retrieve the caller's row."""
        return self.respond_with(self.own_id())

    def get_object(self, *, lock: bool = False) -> Any:
        self.kwargs[self.lookup_field] = self.own_id()
        return super().get_object(lock=lock)


class WritableSingletonViewSet(UpdateMixin, SingletonViewSet):
    """Singleton that supports updates."""
