"""A colleague in the same tenant reaches no row of another person, whatever the colleague's role."""

import pytest

from config.testing.isolation.colleagues import (
    COLLEAGUE_ATTACKS,
    colleague_mutations,
    list_person_models,
    person_targets,
    run_colleague_matrix,
)
from config.testing.isolation.fixtures import create_attack_fixture
from config.testing.isolation.mutations import run_mutation


@pytest.fixture
def attack_fixture(transactional_db):
    return create_attack_fixture(1)


@pytest.mark.security("colleague in SQL")
def test_a_colleague_reaches_no_row_in_sql(attack_fixture, attacks):
    report = run_colleague_matrix(attack_fixture)
    found = {(each.attack, each.table): each.what for each in report.findings}

    assert report.attempts == len(list_person_models()) * len(COLLEAGUE_ATTACKS)
    for target in person_targets(attack_fixture):
        for name in COLLEAGUE_ATTACKS:
            what = found.get((name, target.table))
            attacks.attempt(f"{name} on {target.table}: {what}", succeeded=bool(what))


@pytest.mark.security("colleague in SQL", mutation=True)
def test_every_removed_person_clause_is_caught(attack_fixture, attacks):
    outcomes = [run_mutation(each, attack_fixture) for each in colleague_mutations()]
    for each in outcomes:
        attacks.attempt(each.name, succeeded=each.caught)

    assert [(each.name, each.what) for each in outcomes if not each.caught] == []
