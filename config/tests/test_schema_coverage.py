"""Coverage of the schema documents and their guarantees."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from config.schema.coverage import SchemaCoverage, load_coverage
from config.schema.guarantees import NUMBERS, Guarantee
from config.schema.sources import ColumnSource, find_target_error, load_sources, resolve_path

COVERAGE = load_coverage()


def source(field, column="name", note=""):
    return ColumnSource(
        document="agentic", table="tenants", column=column, field=field, note=note, file="x.yaml"
    )


def test_the_list_is_that_of_the_documents():
    assert len(COVERAGE.tables) == 94
    assert len(COVERAGE.columns) == 1090


def test_every_target_exists():
    assert [
        f"{each}: {find_target_error(each)}" for each in COVERAGE.sources if find_target_error(each)
    ] == []


def test_every_table_and_column_is_mapped():
    assert COVERAGE.missing() == []
    assert COVERAGE.mapped_tables == COVERAGE.tables
    assert COVERAGE.mapped_columns == COVERAGE.columns


def test_coverage_has_no_faults():
    assert COVERAGE.faults() == []


def test_every_guarantee_is_there_in_order():
    assert tuple(each.number for each in COVERAGE.guarantees) == NUMBERS


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("tenants.Tenant.nme", "no field named 'nme'"),
        ("tenants.Nobody.name", "doesn't have a 'Nobody' model"),
        ("nowhere.Tenant.name", "No installed app"),
        ("tenants.Tenant.name.more", "nothing lies behind name"),
        ("tenants.Tenant", "is a model"),
        ("tenants", "tenants"),
    ],
)
def test_a_target_that_is_not_there_is_found(field, said):
    assert said in find_target_error(source(field))


def test_paths_cross_relations_both_ways():
    assert resolve_path("accounts.User.memberships.role").model._meta.label == "accounts.Membership"
    assert resolve_path("tenants.Subscription.plan.plan_type").model._meta.label == "tenants.SubscriptionPlan"


def test_a_column_without_entry_is_missing():
    sources = [each for each in COVERAGE.sources if each.key != ("agentic", "tenants", "slug")]
    less = SchemaCoverage(COVERAGE.document_columns, sources, COVERAGE.guarantees)

    assert less.missing() == ["agentic.tenants.slug"]
    assert COVERAGE.tables - less.mapped_tables == {("agentic", "tenants")}
    assert not less.is_complete


def test_renamed_column_states_its_name():
    quiet, short = (
        source("tenants.Tenant.name", column="slug"),
        source("tenants.Tenant.name", column="name_id"),
    )
    said = [
        fault
        for fault in SchemaCoverage(COVERAGE.document_columns, [quiet, short], []).faults()
        if "renamed" in fault
    ]

    assert len(said) == 1
    assert "agentic.tenants.slug -> tenants.Tenant.name" in said[0]


def test_unknown_and_duplicate_entries_are_faults():
    odd = source("tenants.Tenant.name", column="nme", note="odd")
    more = SchemaCoverage(
        COVERAGE.document_columns, [*COVERAGE.sources, odd, COVERAGE.sources[0]], COVERAGE.guarantees
    )

    assert [fault.rsplit(": ", 1)[1] for fault in more.faults()] == ["no document has it", "said twice"]


@pytest.mark.parametrize(
    ("tests", "commands", "waits_for", "count"),
    [
        (("config/tests/test_conventions_schema.py::test_model_has_a_factory",), (), "", 0),
        (("config/tests/test_conventions_schema.py::test_nothing_of_the_kind",), (), "", 1),
        (("config/tests/test_nowhere.py::test_model_has_a_factory",), (), "", 1),
        ((), ("schema_coverage",), "", 0),
        ((), ("schema_nothing",), "", 1),
        ((), (), "something", 0),
        ((), (), "", 1),
    ],
)
def test_a_promise_names_what_shows_it(tests, commands, waits_for, count):
    assert len(Guarantee("G1", "…", tests, commands, waits_for).faults()) == count


def test_a_malformed_entry_is_refused(tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "x.yaml").write_text("- {document: agentic, tabel: tenants, field: tenants.Tenant}\n")

    with pytest.raises(ValueError, match=r"x\.yaml, entry 1"):
        load_sources(tmp_path)


def test_the_command_prints_the_count_and_every_promise():
    out = StringIO()
    call_command("schema_coverage", "--strict", stdout=out)

    assert "94 of  94 tables" in out.getvalue()
    assert "1090 of  1090 columns" in out.getvalue()
    assert all(f"\n{number} " in out.getvalue() for number in NUMBERS)


def test_strict_fails_when_something_is_missing(monkeypatch):
    less = SchemaCoverage(COVERAGE.document_columns, COVERAGE.sources[1:], COVERAGE.guarantees)
    monkeypatch.setattr("config.management.commands.schema_coverage.load_coverage", lambda: less)

    with pytest.raises(CommandError, match="1 missing"):
        call_command("schema_coverage", "--strict", stdout=StringIO())
