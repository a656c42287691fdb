"""Viewset base classes. A viewset declares a serializer and a resource.

    class CollectionViewSet(TenantViewSet):
        serializer_class = CollectionSerializer
        resource = "collections"

The model is the serializer's. The serializer's columns become filters (`config.api.filter_factory`). If every field is
a column, lists and single rows are serialized by one SQL statement (`config.api.sql_serialization`).
"""

from collections.abc import Sequence
from typing import Any, ClassVar, cast
from uuid import UUID

import orjson
from django.http import Http404, HttpResponse
from django.utils.functional import cached_property
from rest_framework.filters import BaseFilterBackend
from rest_framework.mixins import DestroyModelMixin, UpdateModelMixin
from rest_framework.pagination import BasePagination
from rest_framework.viewsets import GenericViewSet

from .etags import make_etag, not_modified, require_match, version_of
from .exceptions import Forbidden, Invalid
from .expand import expandable
from .filters import FilterSetBackend, OrderingFilter, SearchFilter
from .pagination import KeysetPagination
from .permissions import explain_missing
from .prepared_queries import Ids, fetch_prepared
from .renderers import dumps
from .serializers import BaseSerializer, cached_serializer, compiled_plan, field_names
from .slugs import has_slug
from .sql_serialization import reencode
from .views import ApiView, json_response

Names = tuple[str, ...]
# Actions whose response is a row or a page of rows of the view.
SHAPED_ACTIONS = frozenset({"list", "retrieve", "update", "partial_update"})


class SecretOnceMixin:
    """Mixin of views that return a new secret once. Repeated requests get the stored response without it.

    List it before the viewset.
    """

    shown_once: ClassVar[str]

    def respond_with_secret(self, pk: Any, secret: str, status: int = 200, **headers: str) -> HttpResponse:
        """Return the row with its secret."""
        body, _ = self.represent(pk)  # type: ignore[attr-defined]
        shown = orjson.loads(body) | {self.shown_once: secret}
        return json_response(shown, status, {"Cache-Control": "no-store", **headers})

    def response_to_store(self, response: HttpResponse) -> HttpResponse:
        body = orjson.loads(response.content or b"null")
        if response.status_code >= 400 or self.shown_once not in (body or {}):
            return response
        headers = {name: response[name] for name in ("Location",) if name in response}
        return json_response(body | {self.shown_once: None}, response.status_code, headers)


class ReadOnlyTenantViewSet(ApiView, GenericViewSet):
    """List and retrieve rows of the current scope."""

    serializer_class: type[BaseSerializer]
    # Filters besides those of `config.api.filter_factory`.
    filterset_fields: ClassVar[Names] = ()
    # Columns to order by besides `id`. None may be nullable.
    ordering_fields: ClassVar[Names] = ("created_at",)
    ordering = "-id"
    # Columns that `q=` searches; by default those that name a row, such as `name` and `title`.
    search_fields: ClassVar[Names | None] = None
    filter_backends: Sequence[type[BaseFilterBackend]] = (FilterSetBackend, SearchFilter, OrderingFilter)
    pagination_class: type[BasePagination] | None = KeysetPagination
    lookup_field = "id"
    lookup_value_converter = "uuid"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "serializer_class" in cls.__dict__ and has_slug(cls.serializer_class.Meta.model):
            cls.lookup_value_converter = "name"

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        slug = self.kwargs.get(self.lookup_field)
        if isinstance(slug, str):
            with self.scoped(read_only=True):
                row = self.get_queryset().filter(slug=slug).order_by().values_list("pk").first()
            if row is None:
                raise Http404
            (self.kwargs[self.lookup_field],) = row

    @property
    def model(self) -> Any:
        """The serializer's model."""
        return self.serializer_class.Meta.model

    @property
    def queryset(self) -> Any:  # type: ignore[override]
        """The model's manager. The OpenAPI generator reads it outside any scope."""
        return self.model.objects

    @classmethod
    def shows_every_row(cls) -> bool:
        """Return whether the resource shows every row that the database shows, so that references may expand to it."""
        return cls.get_queryset is ReadOnlyTenantViewSet.get_queryset

    @classmethod
    def has_shape(cls, action: str | None) -> bool:
        """Return whether `fields` and `expand` shape the response of an action."""
        return action in SHAPED_ACTIONS

    def get_queryset(self) -> Any:
        """Return the rows that the credential may see. Override to narrow them."""
        return self.queryset.all()

    @cached_property
    def selection(self) -> tuple[Names, Names]:
        """The names in `?fields=` and `?expand=`, in the serializer's order. No fields means all.

        Raises:
            Invalid: a name is not a field or cannot be expanded.
            Forbidden: the credential may not read the expanded resource.
        """
        targets = expandable(self.serializer_class)
        expand = self._select("expand", tuple(targets))
        for name in expand:
            resource = targets[name].resource
            if not self.credential.allows(resource, "read"):
                raise Forbidden(
                    f"{explain_missing(self.credential, resource, 'read')} It is required to expand {name}.",
                    scope=f"{resource}:read",
                )
        return self._select("fields", field_names(self.serializer_class)), expand

    def _select(self, parameter: str, known: Names) -> Names:
        text = self.request.GET.get(parameter)
        if not text:
            return ()
        wanted = {name.strip() for name in text.split(",")} - {""}
        if unknown := sorted(wanted - set(known)):
            raise Invalid(f"Unknown names in {parameter}: {', '.join(unknown)}.", code=f"invalid_{parameter}")
        return tuple(name for name in known if name in wanted)

    def list(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """List a page of rows."""
        only, expand = self.selection
        pager = cast(KeysetPagination, self.paginator)
        pager.begin(request, OrderingFilter().requested_ordering(request, self))
        if pager.wants_count:
            pager.count_rows(self.filter_queryset(self.get_queryset()))
        if plan := compiled_plan(self.serializer_class, only, expand):

            def build(view: ReadOnlyTenantViewSet, ids: Ids) -> Any:
                rows = pager.slice(view.filter_queryset(view.get_queryset()))
                return rows.values_list(plan.json, plan.needs_reencode, *pager.fields)

            results = pager.arrange(fetch_prepared(self, (only, expand, pager.limit, pager.ordering), build))
            self.record_reads([row[-1] for row in results])
            return self.get_paginated_response([reencode(row[0], row[1]) for row in results])
        rows = self.filter_queryset(self.get_queryset())
        results = pager.arrange(list(pager.slice(rows.select_related(*expand) if expand else rows)))
        self.record_reads([row.pk for row in results])
        serializer = self.get_serializer(only=only, expand=expand)
        return self.get_paginated_response([dumps(serializer.to_representation(row)) for row in results])

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Retrieve one row."""
        return self.respond_with(self.kwargs[self.lookup_field])

    def respond_with(self, identifier: Any, status: int = 200, **headers: str) -> HttpResponse:
        """Return the row as JSON with its ETag, or 304 if the client has this version.

        Raises:
            Http404: the row is not in the view's queryset.
        """
        body, version = self.represent(identifier)
        self.record_reads([identifier])
        only, expand = self.selection
        if expand:
            # No ETag: it would not change with the expanded rows.
            return json_response(body, status, headers)
        etag = make_etag(identifier, version, ",".join(only))
        if self.request.method in ("GET", "HEAD") and not_modified(self.request, etag):
            return HttpResponse(status=304, headers={"ETag": etag})
        return json_response(body, status, {"ETag": etag, **headers})

    def record_reads(self, ids: Sequence[UUID]) -> None:
        """Override to record in the audit log which rows a response contains."""

    def represent(self, identifier: Any) -> tuple[bytes, str]:
        """Return the JSON and the version of one row.

        Raises:
            Http404: the row is not in the view's queryset.
        """
        only, expand = self.selection
        version = version_of(self.model)
        if plan := compiled_plan(self.serializer_class, only, expand):

            def build(view: ReadOnlyTenantViewSet, ids: Ids) -> Any:
                rows = view.get_queryset().filter(pk=ids["row"]).order_by()
                return rows.values_list(plan.json, plan.needs_reencode, version)[:1]

            for row in fetch_prepared(self, ("row", only, expand), build, row=identifier):
                return reencode(row[0], row[1]), row[2]
            raise Http404
        rows = self.get_queryset().filter(pk=identifier).annotate(row_version=version).order_by()
        if (instance := rows.select_related(*expand).first()) is None:
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
            require_match(self.request, instance.pk, instance.row_version)
        return instance


class CreateMixin(ReadOnlyTenantViewSet):
    """Support for POST."""

    # Column that receives the acting user's id.
    owner_field: ClassVar[str] = ""

    @classmethod
    def has_shape(cls, action: str | None) -> bool:
        is_inherited = cls.create is CreateMixin.create
        return super().has_shape(action) or (action == "create" and is_inherited)

    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Create a row."""
        serializer = self.validate(self.get_serializer(data=request.data))
        instance = self.perform_create(serializer)
        return self.respond_with(instance.pk, 201, Location=f"{request._request.path}{instance.pk}/")

    def perform_create(self, serializer: Any) -> Any:
        """Save the row and return it. Override to call a service."""
        owner = {self.owner_field: self.credential.user_id} if self.owner_field else {}
        return serializer.save(**owner)


class UpdateMixin(UpdateModelMixin, ReadOnlyTenantViewSet):
    """Support for PUT and PATCH."""

    def update(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Replace a row's values."""
        instance = self.get_object(lock=True)
        partial = kwargs.get("partial", False)
        serializer = self.validate(self.get_serializer(instance, data=request.data, partial=partial))
        self.perform_update(serializer)
        return self.respond_with(instance.pk)

    def partial_update(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Update some of a row's values."""
        return self.update(request, *args, **kwargs, partial=True)


class DestroyMixin(DestroyModelMixin, ReadOnlyTenantViewSet):
    """Support for DELETE."""

    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Delete a row, or soft-delete it if the model supports that."""
        self.perform_destroy(self.get_object(lock=True))
        return HttpResponse(status=204)

    def perform_destroy(self, instance: Any) -> None:
        """Delete the row. Override to call a service."""
        getattr(instance, "soft_delete", instance.delete)()


class TenantViewSet(CreateMixin, UpdateMixin, DestroyMixin):
    """List, retrieve, create, update and delete rows of the current scope."""
