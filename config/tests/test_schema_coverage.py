"""Coverage of the schema documents and their guarantees."""

from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from config.schema.coverage import SchemaCoverage, load_coverage
from config.schema.guarantees import NUMBERS, PART, SHOWN, STATES, WAITS, Guarantee
from config.schema.rules import find_changed_rules, find_rule_faults, load_rules
from config.schema.sources import ColumnSource, find_target_error, load_sources, resolve_path
from config.schema.writers import ALIVE, STORED, WAITING, Writer, find_writer_faults, load_writers

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
        ((), (), "something", 1),
        ((), (), "", 1),
    ],
)
def test_guarantee_requires_existing_tests(tests, commands, waits_for, count):
    assert len(Guarantee("G1", "…", tests, commands, waits_for).faults()) == count


@pytest.mark.parametrize(
    ("commands", "waits_for", "state"),
    [(("schema_docs",), "", SHOWN), (("schema_docs",), "more", PART), ((), "all", WAITS)],
)
def test_state_of_a_guarantee_fits_its_tests(commands, waits_for, state):
    fitting = [each for each in STATES if not Guarantee("G1", "…", (), commands, waits_for, each).faults()]
    assert fitting == [state]


def test_guarantee_is_not_shown_if_its_models_are_waiting():
    guarantee = Guarantee("G1", "…", (), ("schema_docs",), "", SHOWN, ("agents.Agent", "workflows.Workflow"))
    assert guarantee.find_overclaims({"agents.Agent"}) == ["G1: shown, but workflows.Workflow not alive"]
    assert replace(guarantee, state=PART).find_overclaims({"agents.Agent"}) == []
    assert guarantee.find_overclaims({"agents.Agent", "workflows.Workflow"}) == []


def test_a_malformed_entry_is_refused(tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "x.yaml").write_text("- {document: agentic, tabel: tenants, field: tenants.Tenant}\n")

    with pytest.raises(ValueError, match=r"x\.yaml, entry 1"):
        load_sources(tmp_path)


def test_command_prints_the_count_and_every_guarantee():
    out = StringIO()
    call_command("schema_coverage", "--strict", stdout=out)

    assert "94 of  94 tables" in out.getvalue()
    assert "1090 of  1090 columns" in out.getvalue()
    assert all(f"\n{number} " in out.getvalue() for number in NUMBERS)
    lines = out.getvalue().splitlines()
    for each in COVERAGE.table_states():
        assert any(line.startswith(f"{each.state:<8} {each.document}.{each.table}: ") for line in lines)


def test_state_of_a_table_is_that_of_its_first_column():
    states = {(each.document, each.table): each for each in COVERAGE.table_states()}
    assert len(states) == 94
    users = states["modernize", "users"]
    assert (users.writer.model, users.state) == ("accounts.User", ALIVE)
    assert users.remarks[0].startswith("accounts.ExternalIdentity waiting: ")
    assert states["modernize", "planning_flows"].state == WAITING


def test_tables_that_need_no_missing_part_of_the_product_are_alive():
    states = COVERAGE.table_states()
    assert sum(each.state == ALIVE for each in states) >= 75
    assert [each.table for each in states if each.state == STORED] == []


def test_writers_cover_the_models_of_the_tables():
    assert find_writer_faults(COVERAGE.sources, COVERAGE.writers) == []
    less = {label: writer for label, writer in COVERAGE.writers.items() if label != "agents.Agent"}
    odd = {"agents.Nobody": Writer("agents.Nobody", day="nowhere", writes="x", uses="x")}
    assert find_writer_faults(COVERAGE.sources, less | odd) == [
        "agents.Agent: not in writers.yaml",
        "agents.Nobody: no table of the documents",
        "agents.Nobody: unknown day nowhere",
    ]


@pytest.mark.parametrize("entry", ["{day: agentic}", "{stored: ''}", "{waits: x, stored: y}", "soon"])
def test_a_malformed_writer_is_refused(tmp_path, entry):
    (tmp_path / "writers.yaml").write_text(f"agents.Agent: {entry}\n")
    with pytest.raises(ValueError, match=r"agents\.Agent"):
        load_writers(tmp_path)


def test_writer_without_a_day_is_not_alive():
    assert Writer("agents.Agent", stored="unused").state == STORED


def test_every_changed_rule_has_a_reason():
    rules = load_rules()
    assert find_rule_faults(COVERAGE.sources, rules) == []
    changed = [each for each in COVERAGE.sources if find_changed_rules(each, rules)]
    assert len(changed) > 30
    faults = find_rule_faults([replace(each, rule="") for each in changed], rules)
    assert len(faults) == len(changed)
    assert any("does not keep required, on_delete" in fault for fault in faults)


def test_rules_are_those_of_columns_of_the_documents():
    known = {
        (document, table, column)
        for document, tables in load_rules().items()
        for table, columns in tables.items()
        for column in columns
    }
    assert len(known) > 300
    assert known <= COVERAGE.columns


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("tenants.Subscription.expires_at", {"required": True}),
        ("tenants.Tenant.name", {"unique": True}),
        ("tenants.Tenant.slug", {"length": 1000}),
        ("agents.Agent.integration", {"on_delete": "cascade"}),
    ],
)
def test_changed_rule_is_found(field, wanted):
    rules = {"agentic": {"tenants": {"name": wanted}}}
    assert find_changed_rules(source(field), rules) == list(wanted)


def test_strict_fails_when_something_is_missing(monkeypatch):
    less = SchemaCoverage(
        COVERAGE.document_columns, COVERAGE.sources[1:], COVERAGE.guarantees, COVERAGE.writers
    )
    monkeypatch.setattr("config.management.commands.schema_coverage.load_coverage", lambda: less)

    with pytest.raises(CommandError, match="1 missing"):
        call_command("schema_coverage", "--strict", stdout=StringIO())
