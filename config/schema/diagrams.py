"""Contents of the diagrams and their Mermaid source."""

import re
from dataclasses import dataclass, field

from config.schema.annotations import SchemaAnnotations
from config.schema.catalog import ForeignKey, SchemaCatalog, TableColumn
from config.schema.dictionary import short_type

TENANTS = "tenants_tenant"
MAX_TABLES = 9
MIN_TABLES = 3


@dataclass(frozen=True)
class DiagramRow:
    """A column in a diagram; `mark` is PK, FK, U or empty."""

    column: str
    type: str
    mark: str


@dataclass
class DiagramTable:
    """One table of a diagram with its key columns."""

    table: str
    lines: list[DiagramRow] = field(default_factory=list)


@dataclass
class Diagram:
    """One entity-relationship diagram."""

    title: str
    boxes: dict[str, DiagramTable]
    keys: list[ForeignKey]


class Diagrams:
    """Diagrams of an app: an overview, then one per topic with key columns."""

    def __init__(self, catalogue: SchemaCatalog, meaning: SchemaAnnotations) -> None:
        self.catalogue = catalogue
        self.meaning = meaning

    def of(self, app: str) -> list[Diagram]:
        drawn = {table.name for table in self.catalogue.tables.values() if table.kind in "rp"}
        tables = [table for table in sorted(drawn) if self.meaning.app_of(table) == app]
        topics = self.topics(tables)
        if len(topics) == 1:
            return [self.detail(tables)]
        return [self.overview(tables), *(self.detail(group) for _, group in topics)]

    def topics(self, tables: list[str]) -> list[tuple[tuple[str, ...], list[str]]]:
        """Group tables by model module; merge small modules into the one they refer to most."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for table in tables:
            groups.setdefault((self.meaning.topic_of(table),), []).append(table)
        if len(tables) <= MAX_TABLES:
            return [(tuple(sorted(name for names in groups for name in names)), tables)]
        while pair := self.nearest(groups):
            one, other = pair
            groups[tuple(sorted({*one, *other}))] = sorted([*groups.pop(one), *groups.pop(other)])
        return sorted(groups.items())

    def nearest(
        self, groups: dict[tuple[str, ...], list[str]]
    ) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
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
            for key in self.catalogue.keys.get(table, [])
            if (table in one and key.target in other) or (table in other and key.target in one)
        )

    def keys(self, tables: list[str], inside: bool) -> list[ForeignKey]:
        """Return the foreign keys to draw; those to the tenant only where it is shown."""
        return [
            key
            for table in tables
            for key in self.catalogue.keys.get(table, [])
            if key.target in tables or not (inside or key.target == TENANTS)
        ]

    def overview(self, tables: list[str]) -> Diagram:
        boxes = {table: self.box(table, lines=False) for table in tables}
        seen = {(key.table, key.target): key for key in reversed(self.keys(tables, inside=True))}
        return Diagram("All tables", boxes, [seen[pair] for pair in sorted(seen)])

    def detail(self, tables: list[str]) -> Diagram:
        keys = self.keys(tables, inside=False)
        boxes = {table: self.box(table) for table in tables}
        for key in keys:
            boxes.setdefault(key.target, DiagramTable(key.target))
        topics = sorted({self.meaning.topic_of(table) for table in tables})
        title = ", ".join("MCP" if topic == "mcp" else topic for topic in topics)
        return Diagram(title[:1].upper() + title[1:], boxes, keys)

    def box(self, table: str, lines: bool = True) -> DiagramTable:
        made = DiagramTable(table)
        if lines:
            columns = self.meaning.ordered(self.catalogue.columns[table])
            made.lines = [line for column in columns if (line := self.line(column)).mark]
            made.lines.sort(key=lambda line: ("PK", "FK", "U").index(line.mark))
        return made

    def line(self, column: TableColumn) -> DiagramRow:
        table, name = column.table, column.name
        keys = {key.column for key in self.catalogue.keys.get(table, [])}
        indexes = self.catalogue.indexes.get(table, [])
        mark = "FK" if name in keys else ""
        if not mark and any(index.unique and name in index.columns for index in indexes):
            mark = "U"
        if any(index.constraint == "p" and name in index.columns for index in indexes):
            mark = "PK"
        return DiagramRow(name, short_type(column.type), mark)


def mermaid(diagram: Diagram) -> str:
    """The diagram as Mermaid's `erDiagram`, which GitHub and many editors draw."""
    lines = ["erDiagram"]
    for box in diagram.boxes.values():
        lines.append(f"    {box.table} {{" if box.lines else f"    {box.table}")
        for line in box.lines:
            kind = re.sub(r"\W+", "_", line.type).strip("_")
            lines.append(f"        {kind} {line.column} {line.mark.replace('U', 'UK')}")
        if box.lines:
            lines.append("    }")
    lines += [f'    {key.target} ||--o{{ {key.table} : "{key.column}, {key.rule}"' for key in diagram.keys]
    return "\n".join(lines)
