"""The data dictionary: one page per app, one section per table."""

import re
from dataclasses import dataclass

from config.schema.annotations import (
    LIBRARIES,
    SCOPE_KINDS,
    SchemaAnnotations,
    describe_field,
    get_application_default,
)
from config.schema.catalog import ForeignKey, SchemaCatalog, TableColumn
from config.schema.markdown import code, codes, grid, page

INTRO = (
    "Types, nulls, defaults, keys and checks come from the database. The application, not the database, applies a"
    ' default marked *app*. "From" lists the corresponding columns of the five schema documents: C convergio,'
    " O orchestration, A agentic, M modernize, W workflow-engine."
)
LIBRARY_INTRO = (
    "Tables of libraries, and tables without a model. See [roles.md](../roles.md) for their privileges."
)
RELATIONS = {"v": "a view", "m": "a materialised view"}
SHORT = {"timestamp with time zone": "timestamptz", "double precision": "float8"}


def short_type(name: str) -> str:
    """Return the short name of a type."""
    return SHORT.get(name, name.replace("character varying", "varchar"))


@dataclass
class Dictionary:
    """Renderer of the dictionary pages."""

    catalog: SchemaCatalog
    annotations: SchemaAnnotations

    def tables(self, app: str) -> list[str]:
        return [table for table in self.catalog.tables if self.annotations.app_of(table) == app]

    def link(self, table: str) -> str:
        """Return a link to the section of `table`."""
        return f"[`{table}`]({self.annotations.app_of(table)}.md#{table})"

    def page(self, app: str) -> str:
        """Render the page of `app`."""
        tables = self.tables(app)
        contents = "\n".join(
            f"- [{table}](#{table}): {self.annotations.describe_table(table)}" for table in tables
        )
        intro = LIBRARY_INTRO if app == LIBRARIES else INTRO
        return page(f"Tables of {app}", intro, contents, *map(self.section, tables))

    def section(self, table: str) -> str:
        """Render the section of one table."""
        blocks = [
            f"## {table}",
            self.annotations.describe_table(table),
            self.facts(table),
            self.columns(table),
            self.rules(table),
            self.referrers(table),
            self.notes(table),
        ]
        return "\n\n".join(filter(None, blocks))

    def facts(self, table: str) -> str:
        model, annotations = self.annotations.models.get(table), self.annotations
        facts = [
            RELATIONS.get(self.catalog.tables[table].kind, ""),
            f"model `{model._meta.label}`" if model else "",
            SCOPE_KINDS.get(annotations.kind(table), ""),
        ]
        if key := self.catalog.tables[table].partition_key:
            period = getattr(model, "partition_period", "")
            facts.append(f"partitioned by {key}" + (f", one per {period}" if period else ""))
        if annotations.field(table, "deleted_at"):
            facts.append("hidden by `deleted_at` instead of deleted")
        facts.append(self.audit(table))
        if documents := annotations.document_tables(table):
            facts.append("from " + ", ".join(documents))
        text = "; ".join(filter(None, facts))
        return text[:1].upper() + text[1:] + "." if text else ""

    def audit(self, table: str) -> str:
        model = self.annotations.models.get(table)
        levels = [
            level
            for _, _, function, level in self.catalog.triggers.get(table, [])
            if function.startswith("conclave_audit_") and "forbid" not in function
        ]
        if not levels:
            reason = getattr(model, "audit_exempt", "")
            return f"not audited: {reason[:1].lower()}{reason[1:].rstrip('.')}" if reason else ""
        omitted = codes(getattr(model, "audit_omit", ()))
        return f"audited {levels[0]}" + (f" without {omitted}" if omitted else "")

    def columns(self, table: str) -> str:
        columns = self.catalog.columns.get(table, [])
        rows = [self.row(column) for column in self.annotations.ordered(columns)]
        head = ["Column", "Type", "Null", "Default", "Meaning", "From"]
        if not any(row[5] for row in rows):
            head, rows = head[:5], [row[:5] for row in rows]
        return grid(head, rows)

    def row(self, column: TableColumn) -> list[str]:
        origin = self.annotations.origins.get((column.table, column.name))
        return [
            code(column.name),
            short_type(column.type),
            "yes" if column.null else "",
            self.default(column),
            " ".join(filter(None, [self.means(column), self.reference(column)])),
            ", ".join(origin.names) if origin else "",
        ]

    def default(self, column: TableColumn) -> str:
        each = self.annotations.field(column.table, column.name)
        if column.generated:
            return f"generated: `{' '.join(column.default.split())}`"
        if column.default:
            return code(re.sub(r"::[\w ]+(?=\)?$)", "", column.default))
        value = get_application_default(each) if each else ""
        return f"*app* `{value}`" if value else ""

    def means(self, column: TableColumn) -> str:
        each = self.annotations.field(column.table, column.name)
        return describe_field(each) if each else ""

    def reference(self, column: TableColumn) -> str:
        keys = [key for key in self.catalog.keys.get(column.table, []) if key.column == column.name]
        return " ".join(f"→ {self.link(key.target)}, {key.rule}." for key in keys)

    def rules(self, table: str) -> str:
        lines = [
            f"- Unique: {code(index.definition)}" + (f" where `{index.condition}`" if index.condition else "")
            for index in self.catalog.indexes.get(table, [])
            if index.unique and index.constraint != "p" and index.definition != "(tenant_id, id)"
        ]
        return "\n".join([*lines, *self.checks(table)])

    def checks(self, table: str) -> list[str]:
        """Return the check constraints; trivial ones are combined into one line each."""
        positive, listed, others = [], [], []
        for _, name, condition in self.catalog.checks.get(table, []):
            column, _, rest = condition.replace('"', "").partition(" ")
            if rest == ">= 0":
                positive.append(column)
            elif rest.startswith("IN (") and getattr(self.annotations.field(table, column), "choices", None):
                listed.append(column)
            else:
                others.append(f"- Check `{name}`: `{condition}`")
        alike = [f"- Check: {codes(listed)} restricted to the listed values"] if listed else []
        alike += [f"- Check: {codes(positive)} cannot be negative"] if positive else []
        return alike + others

    def referrers(self, table: str) -> str:
        keys: list[ForeignKey] = self.catalog.referrers(table)
        if not keys:
            return ""
        if len(keys) > 40:
            return f"Referenced by {len(keys)} foreign keys: see [foreign keys](../foreign-keys.md)."
        return "Referenced by " + ", ".join(f"{self.link(key.table)} (`{key.column}`)" for key in keys) + "."

    def notes(self, table: str) -> str:
        notes = {
            note
            for (place, _), origin in self.annotations.origins.items()
            if place == table
            for note in origin.notes
        }
        return (
            "\n".join(["Notes on the merged documents:", "", *(f"- {note}" for note in sorted(notes))])
            if notes
            else ""
        )
