"""The generated pages of `docs/schema/` are up to date, and stale ones are detected."""

import os
import re
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from config.schema import pages
from config.schema.access_paths import PERIODS_AHEAD
from config.schema.catalog import simplify_expression
from config.schema.markdown import GENERATED_MARK
from config.schema.pages import build_pages, find_stale_pages, read_catalog, write_pages
from config.schema.sources import FOLDER

HAND_WRITTEN = ["query-patterns.md", "troubleshooting.md"]
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)]+))?\)")


@pytest.fixture
def made(db):
    return build_pages()


def check(folder):
    """Return the command's exit code and the printed names."""
    out = StringIO()
    try:
        call_command("schema_docs", "--check", folder=folder, stdout=out)
    except CommandError as error:
        return error.returncode, re.findall(r"stale: (\S+)", out.getvalue())
    return 0, []


def test_the_pages_are_up_to_date(db):
    out = StringIO()
    call_command("schema_docs", "--check", stdout=out)

    assert "are up to date" in out.getvalue()


def test_a_stale_a_missing_and_a_left_over_page_are_named(made, tmp_path):
    write_pages(made, tmp_path)
    assert check(tmp_path)[0] == 0

    (tmp_path / "roles.md").write_text(made["roles.md"] + "more\n")
    (tmp_path / "diagrams" / "audit.md").unlink()
    (tmp_path / "tables" / "gone.md").write_text(f"{GENERATED_MARK}\n")

    assert check(tmp_path) == (1, ["diagrams/audit.md", "roles.md", "tables/gone.md"])


def test_writing_mends_what_is_stale_and_leaves_what_people_wrote(made, tmp_path):
    write_pages(made, tmp_path)
    (tmp_path / "roles.md").write_text("old")
    (tmp_path / "troubleshooting.md").write_text("# By hand\n")
    (tmp_path / "left.md").write_text(GENERATED_MARK)

    assert write_pages(made, tmp_path) == ["left.md", "roles.md"]
    assert write_pages(made, tmp_path) == []
    assert (tmp_path / "troubleshooting.md").read_text() == "# By hand\n"


@pytest.fixture
def forgotten(second_connection):
    """Mark the latest migration as unapplied."""
    owner = second_connection("conclave_owner")
    latest = "DELETE FROM django_migrations WHERE id = (SELECT max(id) FROM django_migrations) RETURNING *"
    row = owner.execute(latest).fetchone()
    yield row[1]
    owner.execute("INSERT INTO django_migrations OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s)", row)


def test_a_database_that_is_not_migrated_is_refused(forgotten, tmp_path):
    with pytest.raises(CommandError, match=f"1 unapplied migrations, starting with {forgotten}") as caught:
        call_command("schema_docs", folder=tmp_path, stdout=StringIO())
    assert caught.value.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_partitions_change_nothing(made):
    from config.tenancy.scope import platform_scope

    with platform_scope(reason="a partition more"):
        from config.db.partitions import ensure_partitions

        assert len(ensure_partitions(ahead=6)) > 0
        assert find_stale_pages(build_pages()) == []


@pytest.mark.parametrize(
    ("change", "page"),
    [
        ("ALTER TABLE agents_agent ADD COLUMN odd integer", "tables/agents.md"),
        ("CREATE INDEX odd ON agents_agent (name)", "indexes.md"),
        ("CREATE POLICY odd ON agents_agent FOR SELECT TO conclave_app USING (true)", "policies.md"),
        ("GRANT UPDATE ON audit_auditlog TO conclave_app", "roles.md"),
        ("ALTER TABLE agents_agent DROP CONSTRAINT agents_agent_integration_same", "foreign-keys.md"),
        ("CREATE TABLE odd (id int) PARTITION BY RANGE (id)", "partitions.md"),
    ],
)
def test_database_only_changes_are_detected(second_connection, change, page):
    owner = second_connection("conclave_owner", autocommit=False)
    owner.execute(change)
    catalog = pages.SchemaCatalog(lambda statement: owner.execute(statement).fetchall())

    assert page in find_stale_pages(build_pages(catalog))
    owner.rollback()


def test_every_table_is_on_one_page(made):
    sections = [
        name
        for path, text in made.items()
        if path.startswith("tables/")
        for name in re.findall(r"(?m)^## (\w+)$", text)
    ]
    assert sorted(sections) == sorted(read_catalog().tables)


def test_every_table_of_ours_is_in_a_picture_with_its_columns(made):
    text = "".join(
        text for path, text in made.items() if path.startswith("diagrams/") and path.endswith(".md")
    )
    drawn = set(re.findall(r"(?m)^    (\w+) \{$", text))
    tables = [table.name for table in read_catalog().tables.values() if table.kind in "rp"]
    ours = {table for table in tables if pages.SchemaAnnotations().app_of(table) != "libraries"}

    assert drawn == ours


def test_every_column_of_the_documents_is_on_its_page(made):
    text = "".join(text for path, text in made.items() if path.startswith("tables/"))
    missing = {
        name
        for origin in pages.SchemaAnnotations().origins.values()
        for name in origin.names
        if "." in name and name not in text
    }
    assert missing == set()


def test_every_table_has_a_description(db):
    """Tables are described by model docstrings or `config.schema.annotations.LIBRARY_TABLES`."""
    assert [
        table for table in read_catalog().tables if not pages.SchemaAnnotations().describe_table(table)
    ] == []


def test_links_lead_somewhere():
    broken = []
    for path in sorted(FOLDER.rglob("*.md")):
        for target, anchor in LINK.findall(path.read_text()):
            if target.startswith("http"):
                continue
            file = (path.parent / target).resolve() if target else path
            if not file.is_file() or (anchor and anchor not in anchors(file)):
                broken.append(f"{path.relative_to(FOLDER)}: {target}#{anchor}")
    assert broken == []


def anchors(path):
    """Return GitHub's heading anchors of a page."""
    headings = re.findall(r"(?m)^#+ (.+)$", path.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_links_every_page():
    linked = {target for target, _ in LINK.findall((FOLDER / "README.md").read_text())}
    there = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.md")} - {"README.md"}

    assert there - linked == set()
    assert set(HAND_WRITTEN) <= linked


def test_partitions_page_states_how_many_are_created_ahead():
    assert "PARTITIONS_AHEAD" in os.environ or settings.PARTITIONS_AHEAD == PERIODS_AHEAD


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("(status)::text = 'a'::text", "(status)::text = 'a'"),
        (
            "status::text = ANY (ARRAY['a'::character varying, 'b'::character varying]::text[])",
            "status IN ('a', 'b')",
        ),
        (
            "tenant_id = (( SELECT conclave_current_tenant() AS conclave_current_tenant))",
            "tenant_id = (SELECT conclave_current_tenant())",
        ),
        ("share >= 0.0::double precision", "share >= 0.0"),
    ],
)
def test_expressions_lose_their_casts(printed, shown):
    assert simplify_expression(printed) == shown
