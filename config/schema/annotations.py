"""Table and column annotations from the models."""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models.expressions import DatabaseDefault

from config.encryption.fields import EncryptedField
from config.schema.catalog import TableColumn
from config.schema.sources import load_sources, resolve_path

DOCUMENT_LETTERS = {
    "convergio": "C",
    "orchestration": "O",
    "agentic": "A",
    "modernize": "M",
    "workflow-engine": "W",
}
LIBRARIES = "libraries"
SCOPE_KINDS = {
    "tenant": "rows of one tenant",
    "user": "rows of one person inside a tenant",
    "conversation": "rows of one conversation, visible to its participants",
    "global": "rows of the platform",
}
# Suffix of the materialized view behind a report; see `config.db.reports`.
MATVIEW_SUFFIX = "_kept"
# Tables without a model in this project.
LIBRARY_TABLES = {
    "account_emailaddress": "E-mail addresses of people and whether they are verified (django-allauth).",
    "account_emailconfirmation": "Confirmations of addresses that are on their way (django-allauth).",
    "auth_group": "Django's permission groups; not used, because memberships store the roles (Django).",
    "auth_group_permissions": "Rights of groups; not used (Django).",
    "auth_permission": "Django's own rights, one per model and verb (Django).",
    "conclave_scope_key": "Keys of the proofs of scopes; read by the functions of `conclave_scope` alone.",
    "conclave_rate": "Counters of the rate limits, UNLOGGED; reached by `conclave_hit` alone.",
    "conclave_request_count": "Used API requests by tenant and period; reached by `conclave_lease_requests` alone.",
    "django_admin_log": "The console's own log; the audit log is separate (Django).",
    "django_content_type": "Names of models (Django).",
    "django_migrations": "Migrations that ran (Django).",
    "django_session": "Sessions of the console (Django).",
    "mfa_authenticator": "Second factors, encrypted (django-allauth).",
    "procrastinate_events": "What happened to jobs (procrastinate).",
    "procrastinate_jobs": "Jobs; a tenant's by the `tenant_id` among their arguments (procrastinate).",
    "procrastinate_periodic_defers": "When periodic jobs were last deferred (procrastinate).",
    "procrastinate_workers": "Workers that live (procrastinate).",
}


@dataclass
class ColumnOrigin:
    """Document columns that map to one column, with their notes."""

    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class SchemaAnnotations:
    """Models and document names by table and column."""

    @cached_property
    def models(self) -> dict[str, type[models.Model]]:
        found = apps.get_models(include_auto_created=True)
        return {model._meta.db_table: model for model in found}

    @cached_property
    def our_apps(self) -> list[str]:
        """Labels of the project's apps with models, in settings order."""
        base = str(settings.BASE_DIR)
        return [
            config.label
            for config in apps.get_app_configs()
            if config.path.startswith(base)
            and "site-packages" not in config.path
            and list(config.get_models())
        ]

    def app_of(self, table: str) -> str:
        """Return the app whose page shows the table, or the library page."""
        model = self.models.get(table)
        label = model._meta.app_label if model else table.split("_", 1)[0]
        return label if label in self.our_apps else LIBRARIES

    def by_app(self, tables: Iterable[str]) -> list[tuple[str, list[str]]]:
        """Group sorted `tables` by the app whose page shows them."""
        return [(app, list(group)) for app, group in groupby(sorted(tables, key=self.app_of), self.app_of)]

    def topic_of(self, table: str) -> str:
        """Return the name of the module that defines the table's model."""
        model = self.models.get(table)
        return model.__module__.rsplit(".", 1)[-1] if model else "others"

    def field(self, table: str, column: str) -> Any:
        """Return the model's field, or None."""
        model = self.models.get(table)
        fields = model._meta.local_concrete_fields if model else ()
        return next((each for each in fields if each.column == column), None)

    def ordered(self, columns: list[TableColumn]) -> list[TableColumn]:
        """Sort the columns of one table in model order; others follow."""
        model = self.models.get(columns[0].table) if columns else None
        places = {each.column: n for n, each in enumerate(model._meta.local_concrete_fields)} if model else {}
        return sorted(columns, key=lambda column: places.get(column.name, len(places)))

    def kind(self, table: str) -> str:
        """Return tenant, user or global; empty for tables of libraries."""
        return getattr(self.models.get(table), "scope_kind", "")

    def describe_table(self, table: str) -> str:
        """Return the model's docstring in one line."""
        if table in LIBRARY_TABLES:
            return LIBRARY_TABLES[table]
        if table.endswith(MATVIEW_SUFFIX):
            name = table.removesuffix(MATVIEW_SUFFIX)
            return f"What `{name}` shows, of all tenants; only its owner has privileges on it."
        model = self.models.get(table)
        if model is None or not model.__doc__ or model.__doc__.startswith(f"{model.__name__}("):
            return ""
        return " ".join(inspect.cleandoc(model.__doc__).split())

    @cached_property
    def origins(self) -> dict[tuple[str, str], ColumnOrigin]:
        """Map (table, column) to the document names; an empty column means the table."""
        found: dict[tuple[str, str], ColumnOrigin] = {}
        for source in load_sources():
            origin = found.setdefault(_place(resolve_path(source.field)), ColumnOrigin())
            name = ".".join(filter(None, (source.table, source.column)))
            origin.names.append(f"{DOCUMENT_LETTERS[source.document]} `{name}`")
            if source.remarks:
                origin.notes.append(f"{DOCUMENT_LETTERS[source.document]} `{name}`: {source.remarks}")
        for origin in found.values():
            origin.names.sort()
            origin.notes.sort()
        return found

    def document_tables(self, table: str) -> list[str]:
        """Return the document tables that map to `table`, wholly or in part."""
        names = {
            name.split(".")[0].rstrip("`") + "`"
            for (place, _), origin in self.origins.items()
            if place == table
            for name in origin.names
        }
        return sorted(names)


def _place(target: Any) -> tuple[str, str]:
    if isinstance(target, type):
        return target._meta.db_table, ""  # type: ignore[attr-defined]
    column = getattr(target, "column", None)
    if column is None:
        return target.related_model._meta.db_table, ""
    return target.model._meta.db_table, column


def describe_field(each: Any) -> str:
    """Describe help text, choices and encryption of a field in one line."""
    parts = [str(each.help_text).strip()] if each.help_text else []
    if each.choices:
        parts.append("One of " + ", ".join(f"`{value}`" for value in _format_choices(each)) + ".")
    if isinstance(each, EncryptedField):
        parts.append("Encrypted.")
    return " ".join(parts)


def _format_choices(each: Any) -> list[str]:
    return ["(empty)" if value in ("", None) else str(value) for value, _ in each.flatchoices]


def get_application_default(each: Any) -> str:
    """Return the default that the application sets; empty if the database sets it."""
    if not each.has_default() or isinstance(each.default, DatabaseDefault):
        return ""
    value = each.default
    if callable(value):
        empty = {dict: "{}", list: "[]"}
        return empty.get(value) or f"{value.__name__}()"
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(getattr(value, "value", value))
