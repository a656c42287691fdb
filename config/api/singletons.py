"""Resources of which each caller has exactly one: the own tenant, oneself."""

from typing import Any

from django.http import HttpResponse

from .viewsets import ReadOnlyTenantViewSet, UpdateMixin


class SingletonViewSet(ReadOnlyTenantViewSet):
    """GET on the bare address; `own_id()` says which row it is."""

    pagination_class = None
    filter_backends = ()

    def own_id(self) -> Any:
        """The id of the caller's row."""
        raise NotImplementedError

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """The caller's own row."""
        return self.respond_with(self.own_id())

    def get_object(self, *, lock: bool = False) -> Any:
        self.kwargs[self.lookup_field] = self.own_id()
        return super().get_object(lock=lock)


class WritableSingletonViewSet(UpdateMixin, SingletonViewSet):
    """PATCH as well."""
