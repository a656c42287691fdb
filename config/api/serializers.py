"""Serializer base class: references as ids, sparse fieldsets and expanded references."""

import copy
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models
from django.db.models import Q
from rest_framework import serializers
from rest_framework.fields import empty

from config.db.session import current_scope
from config.encryption.fields import EncryptedField, EncryptedTextField

from .constraint_errors import DOES_NOT_EXIST
from .expand import expandable
from .fields import ListedChoiceField, SecretField
from .slugs import has_slug
from .sql_serialization import (
    ColumnSQL,
    NotSqlSerializable,
    SerializationPlan,
    compile_plan,
    quote_identifier,
    row_json,
)

TIMESTAMPS = ("created_at", "updated_at")


class ReferenceField(serializers.UUIDField):
    """The id of another row, or its slug if it has one; checked by the composite foreign key.

    The error is the same for another tenant's row, a missing row and a soft-deleted row.
    """

    default_error_messages = {"invalid": "Must be a valid UUID.", "does_not_exist": DOES_NOT_EXIST}

    @property
    def accepts_slug(self) -> bool:
        """Whether the referenced rows have a slug."""
        return self.target is not None and has_slug(self.target)

    def __init__(self, *, target: Any = None, **kwargs: Any) -> None:
        self.target = target
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        name = self.parse_name(data)
        ids = self.resolve_names({name})
        if name not in ids:
            self.fail("does_not_exist")
        return ids[name]

    def parse_name(self, data: Any) -> UUID | str:
        """Return the id, or the slug if the referenced rows have one. A slug that looks like a UUID is an id."""
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        if not self.accepts_slug:
            return super().to_internal_value(data)
        try:
            return UUID(data)
        except ValueError:
            return data

    def resolve_names(self, names: set[UUID | str]) -> dict[UUID | str, UUID]:
        """Return the ids of the existing rows by name, with at most one query."""
        if not (self.accepts_slug or self._hides_rows):
            return {name: name for name in names if isinstance(name, UUID)}
        ids = {name for name in names if isinstance(name, UUID)}
        wanted = Q(pk__in=ids)
        if slugs := names - ids:
            wanted |= Q(slug__in=slugs)
        columns = ("pk", "slug") if slugs else ("pk",)
        rows = self.target.objects.filter(wanted).order_by("pk").values_list(*columns)
        found: dict[UUID | str, UUID] = {}
        for pk, *slug in rows:
            for name in names.intersection((pk, *slug)):
                found.setdefault(name, pk)
        return found

    @property
    def _hides_rows(self) -> bool:
        """Whether rows of the tenant may be invisible to the caller, which the foreign key does not check."""
        kind = getattr(self.target, "scope_kind", "tenant")
        return hasattr(self.target, "soft_delete") or kind not in ("tenant", "global")


class ObjectField(serializers.JSONField):
    """A JSON object with arbitrary members."""

    default_error_messages = {"not_an_object": "Must be an object."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        return super().to_internal_value(data)


class TextListField(serializers.ListField):
    """A JSON list of short strings, such as labels."""

    child = serializers.CharField(max_length=200)

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 200)
        super().__init__(**kwargs)

    def to_representation(self, data: Any) -> Any:
        return data


class FiniteFloatField(serializers.FloatField):
    """A float formatted as in PostgreSQL's JSON: 1 for 1.0."""

    def to_representation(self, value: Any) -> Any:
        value = float(value)
        if value != value or value in (float("inf"), float("-inf")):
            return None
        return int(value) if value.is_integer() and abs(value) < 1e14 else value


class RelatedIdsField(serializers.ListField):
    """Ids of the rows related by a through table, in ascending order.

    Args:
        through: The through model.
        near: Its foreign key to this row.
        far: Its foreign key to the related rows.
    """

    child = ReferenceField()

    def __init__(self, *, through: str, near: str, far: str, **kwargs: Any) -> None:
        self.through, self.near, self.far = through, near, far
        kwargs.setdefault("max_length", 200)
        super().__init__(**kwargs)

    @property
    def model(self) -> Any:
        return apps.get_model(self.through)

    def run_child_validation(self, data: Any) -> Any:
        self.run_validators(data)  # Before the query, so that the number of its parameters is bounded.
        self.child.target = self.model._meta.get_field(self.far).related_model
        names, errors = dict[int, UUID | str](), dict[Any, Any]()
        for index, item in enumerate(data):
            try:
                self.child.validate_empty_values(item)
                names[index] = self.child.parse_name(item)
            except serializers.ValidationError as error:
                errors[index] = error.detail
        ids = self.child.resolve_names(set(names.values()))
        missing = serializers.ErrorDetail(DOES_NOT_EXIST, code="does_not_exist")
        errors |= {index: [missing] for index, name in names.items() if name not in ids}
        if errors:
            raise serializers.ValidationError(dict(sorted(errors.items())))
        return [ids[name] for name in names.values()]

    def get_attribute(self, instance: Any) -> Any:
        return list(self._rows(instance).order_by(f"{self.far}_id").values_list(f"{self.far}_id", flat=True))

    def _rows(self, instance: Any) -> Any:
        return self.model.objects.filter(**{f"{self.near}_id": instance.pk})

    def replace(self, instance: Any, ids: Iterable[UUID]) -> None:
        """Store the ids related to `instance`: delete the missing rows and add the new ones."""
        rows, wanted = self._rows(instance), set(ids)
        held = set(rows.values_list(f"{self.far}_id", flat=True))
        rows.filter(**{f"{self.far}_id__in": held - wanted}).delete()
        for identifier in sorted(wanted - held):
            self.model(**{f"{self.near}_id": instance.pk, f"{self.far}_id": identifier}).save()

    def to_representation(self, data: Any) -> Any:
        return [str(item) for item in data]

    def as_sql(self, model: type[models.Model], table: str) -> ColumnSQL:
        """Return SQL for the ids as a JSON array."""
        through = quote_identifier(self.model._meta.db_table)
        near, far = (
            quote_identifier(self.model._meta.get_field(name).column) for name in (self.near, self.far)
        )
        return ColumnSQL(
            f"coalesce((SELECT array_to_json(array_agg(_t.{far} ORDER BY _t.{far})) FROM {through} _t"
            f" WHERE _t.tenant_id = {table}.tenant_id AND _t.{near} = {table}.id), '[]'::json)"
        )


class ExpandedField(serializers.Field):
    """Referenced objects requested by `?expand=`, under the separate key `expanded`."""

    def __init__(self, targets: dict[str, type["BaseSerializer"]], **kwargs: Any) -> None:
        self.targets = targets
        kwargs |= {"read_only": True, "source": "*"}
        super().__init__(**kwargs)

    def to_representation(self, instance: Any) -> Any:
        shown = {}
        for name, serializer in self.targets.items():
            related = getattr(instance, name)
            shown[name] = (
                None if related is None else serializer(context=self.context).to_representation(related)
            )
        return shown

    def as_sql(self, model: type[models.Model], table: str) -> ColumnSQL:
        """Return SQL with one subquery for each expanded reference."""
        parts, needs_reencode = [], ""
        for position, (name, serializer) in enumerate(self.targets.items()):
            field = model._meta.get_field(name)
            related = field.related_model
            if not isinstance(field, models.ForeignKey) or related is None:
                raise NotSqlSerializable(name)
            alias = f"_e{position}"
            inner = row_json(serializer(), related, alias)
            needs_reencode = needs_reencode or ("true" if inner.needs_reencode else "")
            parts.append(
                f"(SELECT ({inner.sql}) FROM {quote_identifier(related._meta.db_table)} {alias}"
                f" WHERE {alias}.id = {table}.{quote_identifier(field.column)}) AS {quote_identifier(name)}"
            )
        return ColumnSQL(f"(SELECT row_to_json(_x) FROM (SELECT {', '.join(parts)}) _x)", needs_reencode)


class BaseSerializer(serializers.ModelSerializer):
    """Serializer for a model's columns.

    Subclasses get the ID and the timestamps of the model, unless their `Meta.fields` lists the ID.

    Args:
        only: Names of the fields to include, all by default.
        expand: References to include as objects too.
    """

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.FloatField: FiniteFloatField,
    }
    serializer_choice_field = ListedChoiceField
    _built: dict[type, dict[str, serializers.Field]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        meta: Any = cls.__dict__.get("Meta")
        if meta is not None and "id" not in meta.fields:
            names = {field.name for field in meta.model._meta.concrete_fields}
            meta.fields = ("id", *meta.fields, *(name for name in TIMESTAMPS if name in names))

    def __init__(self, instance: Any = None, data: Any = empty, **kwargs: Any) -> None:
        self.only: tuple[str, ...] = kwargs.pop("only", ())
        self.expand: tuple[str, ...] = kwargs.pop("expand", ())
        super().__init__(instance, data, **kwargs)

    def get_fields(self) -> dict[str, serializers.Field]:
        built = self._built.get(type(self))
        if built is None:
            built = self._built[type(self)] = super().get_fields()
        fields = {name: copy.deepcopy(f) for name, f in built.items() if not self.only or name in self.only}
        if self.expand:
            targets = expandable(type(self))
            fields["expanded"] = ExpandedField({name: targets[name].serializer for name in self.expand})
        return fields

    def to_internal_value(self, data: Any) -> Any:
        """Validate the data. A new row belongs to the engagement to which the request is limited."""
        scope = current_scope()
        if scope is not None and scope.engagement_id and self.instance is None and isinstance(data, dict):
            field = self.fields.get("engagement")
            if field is not None and not field.read_only:
                data = {"engagement": str(scope.engagement_id), **data}
        return super().to_internal_value(data)

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        if isinstance(model_field, models.GeneratedField):
            return self._generated(model_field)
        if isinstance(model_field, EncryptedField):
            return SecretField, {
                "text": isinstance(model_field, EncryptedTextField),
                "required": False,
                "allow_null": model_field.null,
                "help_text": model_field.help_text,
            }
        kind, kwargs = super().build_standard_field(field_name, model_field)
        if isinstance(model_field, models.JSONField) and kind is serializers.JSONField:
            kwargs.pop("encoder", None)
            kwargs.pop("decoder", None)
            kind = ObjectField if isinstance(model_field.get_default(), dict) else kind
        if isinstance(model_field, models.CharField) and model_field.null:
            kwargs.pop("allow_blank", None)  # Null is the only empty value.
        return kind, kwargs

    def _generated(
        self, model_field: models.GeneratedField
    ) -> tuple[type[serializers.Field], dict[str, Any]]:
        output: Any = model_field.output_field
        kwargs: dict[str, Any] = {"read_only": True, "help_text": model_field.help_text}
        if isinstance(output, models.DecimalField):
            kwargs |= {"max_digits": output.max_digits, "decimal_places": output.decimal_places}
        kind = next(made for cls, made in self.serializer_field_mapping.items() if type(output) is cls)
        return kind, kwargs

    def build_relational_field(self, field_name: str, relation_info: Any) -> Any:
        field = relation_info.model_field
        kwargs: dict[str, Any] = {"source": field.attname, "help_text": field.help_text}
        if not field.editable:
            return ReferenceField, kwargs | {"read_only": True, "allow_null": field.null}
        return ReferenceField, kwargs | {
            "target": field.related_model,
            "required": not (field.null or field.has_default()),
            "allow_null": field.null,
        }

    def include_extra_kwargs(self, kwargs: Any, extra_kwargs: Any) -> Any:
        if extra_kwargs.get("read_only"):
            kwargs.pop("target", None)
        blank = "choices" in kwargs and kwargs.get("allow_blank")
        kwargs = super().include_extra_kwargs(kwargs, extra_kwargs)
        # DRF drops it from read-only fields, and the OpenAPI document would lack the empty value.
        return kwargs | {"allow_blank": True} if blank else kwargs

    # The database enforces uniqueness (config.api.constraint_errors). A query beforehand would be racy and cost time.
    def get_unique_together_constraints(self, model: Any) -> Any:
        return iter(())

    def get_validators(self) -> list[Any]:
        return list(getattr(getattr(self, "Meta", None), "validators", []))

    def create(self, validated_data: dict[str, Any]) -> Any:
        related = self._take_related(validated_data)
        instance: Any = self.Meta.model(**validated_data)  # type: ignore[misc]
        instance.save(force_insert=True)
        for field, ids in related:
            field.replace(instance, ids)
        return instance

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        related = self._take_related(validated_data)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        if validated_data or related:
            attnames = {field.attname: field.name for field in instance._meta.concrete_fields}
            changed = {attnames.get(name, name) for name in validated_data}
            instance.save(update_fields=changed | ({"updated_at"} & attnames.keys()))
        for field, ids in related:
            field.replace(instance, ids)
        return instance

    def _take_related(self, validated_data: dict[str, Any]) -> list[tuple[RelatedIdsField, Any]]:
        fields = [field for field in self.fields.values() if isinstance(field, RelatedIdsField)]
        return [
            (field, validated_data.pop(field.source)) for field in fields if field.source in validated_data
        ]


class ReadOnlySerializer(BaseSerializer):
    """Serializer for rows that clients cannot write."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.Meta.read_only_fields = cls.Meta.fields  # type: ignore[attr-defined]


@lru_cache(maxsize=1024)
def compiled_plan(
    serializer_class: type[BaseSerializer], only: tuple[str, ...], expand: tuple[str, ...]
) -> SerializationPlan | None:
    """Return the compiled plan of a serializer and a selection of fields."""
    return compile_plan(serializer_class(only=only, expand=expand))


@lru_cache(maxsize=256)
def cached_serializer(serializer_class: type[BaseSerializer]) -> BaseSerializer:
    """Return a cached read-only serializer. Instantiating one copies each of its fields."""
    return serializer_class()


@lru_cache(maxsize=256)
def field_names(serializer_class: type[BaseSerializer]) -> tuple[str, ...]:
    """Return the names that `?fields=` accepts, in order of output."""
    return tuple(name for name, field in serializer_class().fields.items() if not field.write_only)
