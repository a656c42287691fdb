"""Generate the pages of `docs/schema/` and detect stale ones."""

from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from config.schema.access_paths import indexes_page, keys_page, partitions_page
from config.schema.annotations import LIBRARIES, SchemaAnnotations
from config.schema.catalog import SchemaCatalog
from config.schema.diagrams import Diagrams
from config.schema.dictionary import Dictionary
from config.schema.markdown import GENERATED_MARK, page
from config.schema.permissions import policies_page, roles_page
from config.schema.sources import FOLDER
from config.schema.table_states import states_page

DIAGRAM_INTRO = (
    "Entity-relationship diagrams in Mermaid. PK marks a primary key, FK a foreign key and UK a column of a unique"
    " constraint. Every tenant-scoped table references `tenants_tenant`; the relationship is shown only in"
    " the diagram that contains that table."
)
PAGES = {
    "indexes.md": indexes_page,
    "partitions.md": partitions_page,
    "foreign-keys.md": keys_page,
    "policies.md": policies_page,
    "roles.md": roles_page,
}


def read_catalog() -> SchemaCatalog:
    """Return the catalog of the connected database."""

    def query(statement: str) -> list[tuple[object, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    return SchemaCatalog(query)


def build_pages(catalog: SchemaCatalog | None = None) -> dict[str, str]:
    """Path below `docs/schema/` -> text of every generated page."""
    catalog, annotations = catalog or read_catalog(), SchemaAnnotations()
    dictionary, diagrams = Dictionary(catalog, annotations), Diagrams(catalog, annotations)
    apps = sorted(annotations.our_apps)
    made = {f"tables/{app}.md": dictionary.page(app) for app in [*apps, LIBRARIES]}
    made |= {f"diagrams/{app}.md": _build_diagram_page(app, diagrams.of(app)) for app in apps}
    made |= {name: render(catalog, annotations) for name, render in PAGES.items()}
    made["table-states.md"] = states_page()
    return made | {"README.md": _build_index_page(catalog, dictionary, apps)}


def _build_diagram_page(app: str, diagrams: list[tuple[str, str]]) -> str:
    return page(
        f"Diagrams of {app}",
        DIAGRAM_INTRO + f" All columns: [tables of {app}](../tables/{app}.md).",
        *(f"## {title}\n\n```mermaid\n{source}\n```" for title, source in diagrams),
    )


def _build_index_page(catalog: SchemaCatalog, dictionary: Dictionary, apps: list[str]) -> str:
    lines = [
        f"| {app} | {len(dictionary.tables(app))} | [diagrams](diagrams/{app}.md) | [tables](tables/{app}.md) |"
        for app in apps
    ]
    lines.append(f"| {LIBRARIES} | {len(dictionary.tables(LIBRARIES))} | | [tables](tables/{LIBRARIES}.md) |")
    indexes = sum(map(len, catalog.indexes.values()))
    keys = sum(map(len, catalog.keys.values()))
    partitioned = sum(1 for table in catalog.tables.values() if table.partition_key)
    return page(
        "The schema",
        "`manage.py schema_docs` generates all of these pages except the last two from the models and PostgreSQL's"
        " catalogs. A test fails when they are stale.",
        "\n".join(["| App | Tables | Diagrams | Columns |", "|---|---|---|---|", *lines]),
        f"- [Indexes](indexes.md): {indexes} indexes and their purposes.\n"
        f"- [Partitions](partitions.md): {partitioned} tables partitioned by time.\n"
        f"- [Foreign keys](foreign-keys.md): {keys} foreign keys and their rules for deletion.\n"
        f"- [Row-level security](policies.md): policies of {len(catalog.policies)} tables.\n"
        "- [Roles and grants](roles.md): the privileges of each role.\n"
        "- [States of the documents' tables](table-states.md): what writes each table, and what waits.\n"
        "- [Common query patterns](query-patterns.md): written by hand; a test runs each example.\n"
        "- [Troubleshooting](troubleshooting.md): written by hand; error messages and their solutions.",
        "`sources/*.yaml` maps the columns of the five schema documents to model fields, and `guarantees.yaml` lists"
        " their other requirements. `writers.yaml` says what writes each table."
        " `manage.py schema_coverage` counts all three.",
    )


def list_generated_files(folder: Path = FOLDER) -> Iterator[Path]:
    """Yield the generated files in `folder`."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".md" and path.read_text().startswith(GENERATED_MARK):
            yield path


def find_stale_pages(made: dict[str, str], folder: Path = FOLDER) -> list[str]:
    """Return the names of missing, changed and obsolete files."""
    found = [name for name, text in made.items() if not _is_unchanged(folder / name, text)]
    left = [path.relative_to(folder).as_posix() for path in list_generated_files(folder)]
    return sorted([*found, *(name for name in left if name not in made)])


def _is_unchanged(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def write_pages(made: dict[str, str], folder: Path = FOLDER) -> list[str]:
    """Write stale files, remove obsolete ones and return their names."""
    changed = find_stale_pages(made, folder)
    for name in changed:
        path = folder / name
        if name in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made[name].encode())
        else:
            path.unlink()
    return changed
