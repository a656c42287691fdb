"""Pages about indexes, partitions and foreign keys."""

from collections import Counter
from itertools import groupby
from operator import attrgetter

from config.schema.annotations import SchemaAnnotations
from config.schema.catalog import ForeignKey, SchemaCatalog, TableIndex
from config.schema.markdown import code, codes, grid, page

INDEX_PURPOSES = {
    "gin": "containment (`@>`, `?`) on JSON, or full text (`@@`)",
    "hnsw": "nearest vectors by cosine",
    "btree": "",
}
INDEX_INTRO = """The purpose of each index, derived from the database and the models:

- *primary key*: point reads. On partitioned tables it is the ID alone, so a read by ID accesses one partition.
- *(tenant, id)*: the target of composite foreign keys, and the order of a tenant's lists. Every tenant table has one.
- *unique*: a constraint of the model. It starts with the tenant, so a conflict reveals nothing about other tenants.
- *foreign key*: for joins, and for deletes in the referenced table.
- *GIN*: searched JSON and full text. Their operators are not LEAKPROOF, so under row-level security PostgreSQL
  uses these indexes only for an operator that is marked LEAKPROOF (`@@`, see [search](../explanation/search.md)).
- *HNSW*: nearest vectors. Row-level security does not prevent ordering scans.
- *partial*: contains only the rows that match its condition, such as rows that are not deleted.

Indexes of partitioned tables are listed once; each partition has its own copy."""


def indexes_page(catalog: SchemaCatalog, annotations: SchemaAnnotations) -> str:
    """Render the page of all indexes and their purposes."""
    counts = Counter(index.kind for indexes in catalog.indexes.values() for index in indexes)
    total = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    blocks = [
        "\n\n".join([f"## {app}", *(_index_section(catalog, table) for table in tables)])
        for app, tables in annotations.by_app(sorted(catalog.indexes))
    ]
    return page("Indexes", INDEX_INTRO, f"Total: {total}.", *blocks)


def _index_section(catalog: SchemaCatalog, table: str) -> str:
    of_tenant = any(column.name == "tenant_id" for column in catalog.columns[table])
    keys = catalog.keys.get(table, [])
    rows = [
        [code(index.name), _definition(index), describe_index(index, keys, of_tenant)]
        for index in catalog.indexes[table]
    ]
    return f"### {table}\n\n{grid(['Index', 'Kind, columns, only where', 'For'], rows)}"


def _definition(index: TableIndex) -> str:
    condition = f" where `{index.condition}`" if index.condition else ""
    return f"{index.kind} {code(index.definition)}{condition}"


def describe_index(index: TableIndex, keys: list[ForeignKey], of_tenant: bool) -> str:
    """Describe the purpose of an index from its columns and constraints."""
    columns = [column for column in index.columns if column != "tenant_id"] or list(index.columns)
    if index.constraint == "p":
        return "primary key"
    if index.unique:
        return "(tenant, id)" if index.columns == ("tenant_id", "id") else "unique"
    if "_pattern_ops" in index.definition:
        return "prefixes of the text (`LIKE 'a%'`)"
    if index.kind != "btree":
        return INDEX_PURPOSES.get(index.kind, index.kind)
    key = next((key for key in keys if key.column == columns[0]), None)
    if key:
        reason = ", then ".join([f"foreign key to `{key.target}`", *columns[1:]])
    else:
        whose = (
            "of the tenant " if index.columns[0] == "tenant_id" else "of all tenants " if of_tenant else ""
        )
        reason = f"rows {whose}by {', '.join(columns)}"
    return reason + ("; partial" if index.condition else "")


PARTITION_INTRO = """Tables that grow with time are partitioned by ranges of their UUIDv7 IDs, whose first 48 bits are
the time: see [partitions and IDs](../explanation/partitions-and-ids.md). Partitions are named `<table>_pYYYYMMDD` after
the first day of their period in UTC. The tables have no default partition, so a row outside all partitions is rejected:
see [troubleshooting](troubleshooting.md#no-partition-of-relation-found-for-row)."""


PERIODS_AHEAD = 3
PARTITION_MAINTENANCE = f"""- **Ahead**: {PERIODS_AHEAD} periods after the current one unless `PARTITIONS_AHEAD` is set.
  `migrate`, the daily job `make_partitions` and `manage.py partitions` create them; `manage.py doctor` warns before
  they run out.
- **Retention**: nothing expires automatically. `manage.py partitions --expire DAY` detaches and drops the partitions
  that end before that day, children before their parents.
- **Blocked expiry**: while rows of the tables listed above refer to rows of a partition, PostgreSQL does not
  detach it. The command stops and names the table."""


def partitions_page(catalog: SchemaCatalog, annotations: SchemaAnnotations) -> str:
    """Render the page of partitioned tables: key, interval and referencing tables."""
    rows = [
        [
            code(table.name),
            table.partition_key,
            getattr(annotations.models.get(table.name), "partition_period", "as needed"),
            _blockers(catalog, table.name),
        ]
        for table in catalog.tables.values()
        if table.partition_key
    ]
    head = ["Table", "Key", "Period", "Referencing tables that block expiry"]
    return page("Partitions", PARTITION_INTRO, grid(head, rows), PARTITION_MAINTENANCE)


def _blockers(catalog: SchemaCatalog, table: str) -> str:
    return codes(sorted({key.table for key in catalog.referrers(table)}))


KEY_INTRO = """References between tenant tables are composite, (tenant, reference) → (tenant, id), so a row cannot refer
to a row of another tenant. References to users refer to their membership, (tenant, user). SET NULL clears the reference
and keeps the tenant. Composite keys are checked at the end of the statement, Django's plain keys at commit.

CASCADE deletes the referencing rows, SET NULL keeps them without the reference, and NO ACTION and RESTRICT prevent the
deletion. Keys to a tenant have CASCADE: its rows go with it. Django's other plain keys have NO ACTION, because Django
deletes or rejects before the database does."""


def keys_page(catalog: SchemaCatalog, annotations: SchemaAnnotations) -> str:
    """Render the page of all foreign keys and their delete rules."""
    every = [key for keys in catalog.keys.values() for key in keys]
    shown = [key for key in every if not _is_tenant(key)]
    counts = Counter(f"{'composite' if key.is_composite else 'plain'} {key.rule}" for key in shown)
    total = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    left_out = f"Omitted: `tenant_id` → `tenants_tenant (id)`, CASCADE, of {len(every) - len(shown)} tables."
    sections = {table: _key_section(table, list(keys)) for table, keys in groupby(shown, attrgetter("table"))}
    blocks = [
        "\n\n".join([f"## {app}", *(sections[table] for table in tables)])
        for app, tables in annotations.by_app(sections)
    ]
    return page("Foreign keys", KEY_INTRO, f"Total: {total}. {left_out}", *blocks)


def _is_tenant(key: ForeignKey) -> bool:
    return key.target == "tenants_tenant" and key.columns == ("tenant_id",)


def _key_section(table: str, keys: list[ForeignKey]) -> str:
    rows = [
        [
            code(", ".join(key.columns)),
            code(f"{key.target} ({', '.join(key.target_columns)})"),
            key.rule,
            key.deferrable,
            code(key.name),
        ]
        for key in keys
    ]
    return f"### {table}\n\n{grid(['Columns', 'Refer to', 'ON DELETE', 'Checked', 'Constraint'], rows)}"
