"""Viewset base classes. A viewset declares a serializer and a resource.

    class CollectionViewSet(TenantViewSet):
        serializer_class = CollectionSerializer
        resource = "collections"

The model is the serializer's. The serializer's columns become filters (`config.api.filter_factory`). If every field is
a column, lists and single rows are serialized by one SQL statement (`config.api.sql_serialization`).
"""

from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.http import Http404, HttpResponse
from rest_framework.viewsets import ViewSetMixin

from . import prepared_queries as statements
from .etags import make_etag, not_modified, require_match, version_of
from .exceptions import Forbidden, Invalid
from .expand import required_resource
from .filters import FilterSetBackend, OrderingFilter
from .pagination import KeysetPagination
from .renderers import dumps
from .serializers import BaseSerializer, cached_serializer, compiled_plan, field_names
from .sql_serialization import SerializationPlan, reencode
from .views import ApiView, json_response

# List parameters that change no value in the SQL statement.
CACHEABLE_PARAMETERS = frozenset({"fields", "expand", "limit", "ordering"})
# JSON and pagination key (value, id) of each row of a page.
PageRows = tuple[list[bytes], list[tuple[Any, Any]]]


class ReadOnlyTenantViewSet(ViewSetMixin, ApiView):
    """List and retrieve rows of the current scope."""

    serializer_class: type[BaseSerializer]
    # Filters besides those of `config.api.filter_factory`.
    filterset_fields: ClassVar[tuple[str, ...]] = ()
    # Columns to order by besides `id`. None may be nullable.
    ordering_fields: ClassVar[tuple[str, ...]] = ("created_at",)
    ordering = "-id"
    filter_backends = (FilterSetBackend, OrderingFilter)
    pagination_class = KeysetPagination
    lookup_field = "id"
    lookup_value_converter = "uuid"

    @property
    def model(self) -> type[models.Model]:
        """The serializer's model."""
        return self.serializer_class.Meta.model

    @classmethod
    def shows_every_row(cls) -> bool:
        """Return whether the resource shows every row that the database shows, so that references may expand to it."""
        return cls.get_queryset is ReadOnlyTenantViewSet.get_queryset

    def get_queryset(self) -> Any:
        """Return the rows that the credential may see. Override to narrow them."""
        if getattr(self, "swagger_fake_view", False):
            return self.model._base_manager.none()
        return self.model.objects.all()

    def filter_queryset(self, queryset: Any) -> Any:
        for backend in self.filter_backends:
            queryset = backend().filter_queryset(self.request, queryset, self)
        return queryset

    def chosen_fields(self) -> tuple[str, ...]:
        """Return the names in `?fields=` in the serializer's order. Empty means all.

        Raises:
            Invalid: a name is not a field.
        """
        return self._chosen("fields", field_names(self.serializer_class))

    def chosen_expand(self) -> tuple[str, ...]:
        """Return the names in `?expand=`.

        Raises:
            Invalid: a name cannot be expanded.
            Forbidden: the credential may not read the expanded resource.
        """
        known = self.serializer_class.expandable()
        chosen = self._chosen("expand", tuple(known))
        for name in chosen:
            resource = required_resource(known[name])
            if not self.credential.allows(resource, "read"):
                raise Forbidden(
                    f"Your role or API key does not grant {resource}:read, required to expand {name}."
                )
        return chosen

    def _chosen(self, parameter: str, known: tuple[str, ...]) -> tuple[str, ...]:
        text = self.request.GET.get(parameter)
        if not text:
            return ()
        wanted = {name.strip() for name in text.split(",")} - {""}
        if unknown := sorted(wanted - set(known)):
            raise Invalid(f"Unknown names in {parameter}: {', '.join(unknown)}.", code=f"invalid_{parameter}")
        return tuple(name for name in known if name in wanted)

    def get_serializer(self, *args: Any, **kwargs: Any) -> BaseSerializer:
        """Return a serializer with all fields and the view's context."""
        kwargs.setdefault("context", {"request": self.request, "view": self})
        return self.serializer_class(*args, **kwargs)

    def list(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """List a page of rows."""
        only, expand = self.chosen_fields(), self.chosen_expand()
        pager = self.pagination_class()
        plan = compiled_plan(self.serializer_class, only, expand)
        if plan:
            texts, keys = self._by_sql(pager, plan, (only, expand))
        else:
            texts, keys = self._by_python(pager, only, expand)
        following, preceding = pager.links(*((keys[0], keys[-1]) if keys else (None, None)))
        head = b'{"next":' + dumps(following) + b',"previous":' + dumps(preceding) + b',"results":['
        return json_response(head + b",".join(texts) + b"]}", headers=pager.link_header(following, preceding))

    def _page(self, pager: KeysetPagination) -> Any:
        return pager.slice(self.filter_queryset(self.get_queryset()), self.request)

    def _by_sql(self, pager: KeysetPagination, plan: SerializationPlan, shape: tuple[Any, ...]) -> PageRows:
        def build(_: dict[str, UUID]) -> Any:
            rows = self._page(pager)
            return rows.values_list(plan.json, plan.needs_reencode, pager.field, "id")

        found = None
        if self.request.GET.keys() <= CACHEABLE_PARAMETERS:
            pager.begin(self.request, OrderingFilter().wanted(self.request, self))
            found = statements.fetch_prepared(self, (*shape, pager.limit, pager.ordering), build)
        found = pager.arrange(list(build({})) if found is None else found)
        return [reencode(row[0], row[1]) for row in found], [(row[2], row[3]) for row in found]

    def _by_python(self, pager: KeysetPagination, only: tuple[str, ...], expand: tuple[str, ...]) -> PageRows:
        rows = self._page(pager)
        found = pager.arrange(list(rows.select_related(*expand) if expand else rows))
        serializer = self.get_serializer(only=only, expand=expand)
        texts = [dumps(serializer.to_representation(row)) for row in found]
        return texts, [pager.key_of(row) for row in found]

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Retrieve one row."""
        return self.respond_with(self.kwargs[self.lookup_field])

    def respond_with(self, identifier: Any, status: int = 200, **headers: str) -> HttpResponse:
        """Return the row as JSON with its ETag, or 304 if the client has this version.

        Raises:
            Http404: the row is not in the view's queryset.
        """
        body, version = self.represent(identifier)
        shape = ",".join([*self.chosen_fields(), *(f"+{name}" for name in self.chosen_expand())])
        if self.chosen_expand():
            # No ETag: it would not change with the expanded rows.
            return json_response(body, status, headers)
        etag = make_etag(version, shape)
        if self.request.method in ("GET", "HEAD") and not_modified(self.request, etag):
            return HttpResponse(status=304, headers={"ETag": etag})
        return json_response(body, status, {"ETag": etag, **headers})

    def represent(self, identifier: Any) -> tuple[bytes, str]:
        """Return the JSON and the version of one row.

        Raises:
            Http404: the row is not in the view's queryset.
        """
        only, expand = self.chosen_fields(), self.chosen_expand()
        version = version_of(self.model)
        plan = compiled_plan(self.serializer_class, only, expand)
        if plan:

            def build(ids: dict[str, UUID]) -> Any:
                rows = self.get_queryset().filter(pk=ids["row"]).order_by()
                return rows.values_list(plan.json, plan.needs_reencode, version)[:1]

            found = statements.fetch_prepared(self, ("row", only, expand), build, row=identifier)
            for text, needs_reencode, row_version in build({"row": identifier}) if found is None else found:
                return reencode(text, needs_reencode), row_version
            raise Http404
        rows = self.get_queryset().filter(pk=identifier).order_by()
        instance = rows.select_related(*expand).annotate(row_version=version).first()
        if instance is None:
            raise Http404
        serializer = self.get_serializer(only=only, expand=expand)
        return dumps(serializer.to_representation(instance)), instance.row_version

    def rendered_row(
        self, serializer_class: type[BaseSerializer], instance: Any, status: int = 200
    ) -> HttpResponse:
        """Return an instance of a model other than the view's as the response."""
        return json_response(dumps(cached_serializer(serializer_class).to_representation(instance)), status)

    def get_object(self, *, lock: bool = False) -> Any:
        """Return the row that the URL names.

        Args:
            lock: Lock it until the transaction ends, and check `If-Match`.

        Raises:
            Http404: the row is not in the view's queryset.
            PreconditionFailed: the client read another version of the row.
        """
        rows = self.get_queryset().filter(pk=self.kwargs[self.lookup_field]).order_by()
        if lock:
            rows = rows.select_for_update(of=("self",))
            if "HTTP_IF_MATCH" in self.request.META:
                rows = rows.annotate(row_version=version_of(self.model))
        instance = rows.first()
        if instance is None:
            raise Http404
        if lock and "HTTP_IF_MATCH" in self.request.META:
            require_match(self.request, instance.row_version)
        return instance


class CreateMixin:
    """Support for POST."""

    # Column that receives the acting user's id.
    owner_field: ClassVar[str] = ""

    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Create a row."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        instance = self.perform_create(serializer)
        return self.respond_with(instance.pk, 201, Location=f"{request._request.path}{instance.pk}/")

    def perform_create(self, serializer: BaseSerializer) -> models.Model:
        """Save the row and return it. Override to call a service."""
        owner = {self.owner_field: self.credential.user_id} if self.owner_field else {}
        return serializer.save(**owner)


class UpdateMixin:
    """Support for PUT and PATCH."""

    def update(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Replace a row's values."""
        return self._update(request, partial=False)

    def partial_update(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Update some of a row's values."""
        return self._update(request, partial=True)

    def _update(self, request: Any, *, partial: bool) -> HttpResponse:
        instance = self.get_object(lock=True)
        serializer = self.get_serializer(instance, data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        self.perform_update(serializer)
        return self.respond_with(instance.pk)

    def perform_update(self, serializer: BaseSerializer) -> None:
        """Save the changes. Override to call a service."""
        serializer.save()


class DestroyMixin:
    """Support for DELETE."""

    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Delete a row, or soft-delete it if the model supports that."""
        self.perform_destroy(self.get_object(lock=True))
        return HttpResponse(status=204)

    def perform_destroy(self, instance: Any) -> None:
        """Delete the row. Override to call a service."""
        if hasattr(instance, "soft_delete"):
            instance.soft_delete()
        else:
            instance.delete()


class TenantViewSet(CreateMixin, UpdateMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """List, retrieve, create, update and delete rows of the current scope."""
