"""The isolation report, run as the application login: one pair of tenants."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config.postgres.logins import TEST, login_for_command
from config.testing.factories import project_models
from config.testing.isolation.attacks import ATTACKS
from config.testing.isolation.colleagues import COLLEAGUE_ATTACKS
from config.testing.isolation.engagements import ENGAGEMENT_ATTACKS
from config.testing.isolation.fixtures import create_attack_fixture, list_attacked_models, tenants_for_pairs
from config.testing.isolation.runner import LeakDetected, run_matrix


@pytest.fixture
def attack_fixture(transactional_db):
    return create_attack_fixture(2)


def test_there_are_twenty_nine_attacks_each_described():
    assert len(ATTACKS) == 29
    assert all(attack.__doc__ for attack in ATTACKS.values())


def test_every_tenant_table_is_attacked():
    owned = {model for model in project_models() if model.scope_kind != "global"}

    assert owned < set(list_attacked_models())


@pytest.mark.parametrize(("pairs", "tenants"), [(1, 2), (2, 2), (3, 3), (6, 3), (10, 4), (13, 5)])
def test_as_many_tenants_as_the_pairs_need(pairs, tenants):
    assert tenants_for_pairs(pairs) == tenants


@pytest.mark.security("other tenant")
def test_no_attack_gets_through(attack_fixture, attacks):
    report = run_matrix(attack_fixture, ATTACKS, attack_fixture.pairs(1))

    attacks.record(report.attempts, [finding.what for finding in report.findings])
    assert report.attempts == len(attack_fixture.targets) * 29
    assert report.statements > report.attempts


def test_attacks_leave_nothing_behind(attack_fixture):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tenants_tenant")
        before = cursor.fetchone()
        run_matrix(
            attack_fixture, ATTACKS, attack_fixture.pairs(1), targets=[attack_fixture.target("agents_agent")]
        )
        cursor.execute("SELECT count(*) FROM tenants_tenant")
        assert cursor.fetchone() == before


def test_attack_that_fails_for_another_reason_is_a_finding(attack_fixture):
    def broken(attempt):
        attempt.rows("SELECT no_such_column FROM {t}")

    report = run_matrix(
        attack_fixture,
        {"broken": broken},
        attack_fixture.pairs(1),
        targets=[attack_fixture.target("agents_agent")],
    )
    assert "42703" in report.findings[0].what


def test_attack_that_finds_something_is_a_finding(attack_fixture):
    def lucky(attempt):
        attempt.assert_no_rows("SELECT id FROM {t} WHERE id = %s", attempt.mine)

    def thrown(attempt):
        raise LeakDetected("seen")

    report = run_matrix(
        attack_fixture,
        {"lucky": lucky, "thrown": thrown},
        attack_fixture.pairs(2),
        targets=[attack_fixture.target("agents_agent")],
    )
    assert [found.attack for found in report.findings] == ["lucky", "thrown"] * 2


def test_operator_hat_would_be_seen_through(attack_fixture):
    report = run_matrix(
        attack_fixture,
        ATTACKS,
        attack_fixture.pairs(1),
        targets=[attack_fixture.target("agents_agent")],
        role="conclave_operator",
    )

    assert {found.attack for found in report.findings} >= {
        "read_by_id",
        "list_all",
        "filter_and_count",
        "copy_out",
    }


def test_unknown_attack_is_rejected():
    with pytest.raises(CommandError, match="unknown attack"):
        call_command("isolation_report", "--attacks", "nope")


def test_attacks_can_be_listed():
    out = StringIO()
    call_command("isolation_report", "--list", stdout=out)

    assert len(out.getvalue().splitlines()) == 29 + len(COLLEAGUE_ATTACKS) + len(ENGAGEMENT_ATTACKS)


def test_report_can_change_between_scopes_in_a_transaction():
    assert login_for_command(["manage.py", "isolation_report"]) == TEST


@pytest.mark.slow
def test_whole_report(django_db_setup, django_db_blocker):
    out = StringIO()
    with django_db_blocker.unblock():
        call_command("isolation_report", "--sabotage", "--pairs", "1", "--format", "json", stdout=out)
    facts = json.loads(out.getvalue())

    across = facts["tables"] * 29
    inside = facts["person_tables"] * len(COLLEAGUE_ATTACKS)
    between = facts["engagement_tables"] * len(ENGAGEMENT_ATTACKS)
    assert facts["attempts"] == across + inside + between
    assert facts["leaks"] == 0
    assert all(each["caught"] for each in facts["sabotages"])
