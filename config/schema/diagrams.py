"""Entity-relationship diagrams in Mermaid."""

import re
from dataclasses import dataclass

from config.schema.annotations import SchemaAnnotations
from config.schema.catalog import ForeignKey, SchemaCatalog, TableColumn
from config.schema.dictionary import short_type

TENANTS = "tenants_tenant"
MAX_TABLES = 9
MIN_TABLES = 3
MARKS = ("PK", "FK", "UK")
Group = tuple[str, ...]
# Type, name and mark of a column.
Attribute = tuple[str, str, str]


@dataclass
class Diagrams:
    """Diagrams of an app: an overview, then one per topic with key columns."""

    catalog: SchemaCatalog
    annotations: SchemaAnnotations

    def of(self, app: str) -> list[tuple[str, str]]:
        """Return title and Mermaid source of each diagram."""
        drawn = sorted(table.name for table in self.catalog.tables.values() if table.kind in "rp")
        tables = [table for table in drawn if self.annotations.app_of(table) == app]
        topics = self.topics(tables)
        if len(topics) == 1:
            return [self.detail(tables)]
        return [self.overview(tables), *(self.detail(group) for _, group in topics)]

    def topics(self, tables: list[str]) -> list[tuple[Group, list[str]]]:
        """Group tables by model module; merge small modules into the one they refer to most."""
        groups: dict[Group, list[str]] = {}
        for table in tables:
            groups.setdefault((self.annotations.topic_of(table),), []).append(table)
        if len(tables) <= MAX_TABLES:
            return [(tuple(sorted(name for names in groups for name in names)), tables)]
        while pair := self.nearest(groups):
            one, other = pair
            groups[tuple(sorted({*one, *other}))] = sorted([*groups.pop(one), *groups.pop(other)])
        return sorted(groups.items())

    def nearest(self, groups: dict[Group, list[str]]) -> tuple[Group, Group] | None:
        """Return the groups to merge next: a small one and the one with the most shared keys."""
        pairs = [
            (-self.shared(groups[one], groups[other]), len(groups[one]) + len(groups[other]), one, other)
            for one in sorted(groups)
            for other in sorted(groups)
            if one != other
            and len(groups[one]) < MIN_TABLES
            and len(groups[one]) + len(groups[other]) <= MAX_TABLES
        ]
        return min(pairs)[2:] if pairs else None

    def shared(self, one: list[str], other: list[str]) -> int:
        return sum(
            1
            for table in (*one, *other)
            for key in self.catalog.keys.get(table, [])
            if (table in one and key.target in other) or (table in other and key.target in one)
        )

    def keys(self, tables: list[str], inside: bool) -> list[ForeignKey]:
        """Return the foreign keys to draw; those to the tenant only where it is shown."""
        return [
            key
            for table in tables
            for key in self.catalog.keys.get(table, [])
            if key.target in tables or not (inside or key.target == TENANTS)
        ]

    def overview(self, tables: list[str]) -> tuple[str, str]:
        seen = {(key.table, key.target): key for key in reversed(self.keys(tables, inside=True))}
        return "All tables", render_diagram(
            {table: [] for table in tables}, [seen[pair] for pair in sorted(seen)]
        )

    def detail(self, tables: list[str]) -> tuple[str, str]:
        keys = self.keys(tables, inside=False)
        entities: dict[str, list[Attribute]] = {
            table: [] for table in (*tables, *(key.target for key in keys))
        }
        entities |= {table: self.attributes(table) for table in tables}
        topics = sorted({self.annotations.topic_of(table) for table in tables})
        title = ", ".join("MCP" if topic == "mcp" else topic for topic in topics)
        return title[:1].upper() + title[1:], render_diagram(entities, keys)

    def attributes(self, table: str) -> list[Attribute]:
        """Return type, name and mark of the key columns, by mark."""
        columns = self.annotations.ordered(self.catalog.columns[table])
        rows = [
            (re.sub(r"\W+", "_", short_type(column.type)).strip("_"), column.name, mark)
            for column in columns
            if (mark := self.mark(column))
        ]
        return sorted(rows, key=lambda row: MARKS.index(row[2]))

    def mark(self, column: TableColumn) -> str:
        """Return PK, FK, UK or an empty string."""
        indexes = [
            index for index in self.catalog.indexes.get(column.table, []) if column.name in index.columns
        ]
        if any(index.constraint == "p" for index in indexes):
            return "PK"
        if any(column.name == key.column for key in self.catalog.keys.get(column.table, [])):
            return "FK"
        return "UK" if any(index.unique for index in indexes) else ""


def render_diagram(entities: dict[str, list[Attribute]], keys: list[ForeignKey]) -> str:
    """Render an `erDiagram`, which GitHub and many editors draw."""
    lines = ["erDiagram"]
    for table, attributes in entities.items():
        lines.append(f"    {table} {{" if attributes else f"    {table}")
        lines += [f"        {' '.join(attribute)}" for attribute in attributes]
        lines += ["    }"] if attributes else []
    lines += [f'    {key.target} ||--o{{ {key.table} : "{key.column}, {key.rule}"' for key in keys]
    return "\n".join(lines)
