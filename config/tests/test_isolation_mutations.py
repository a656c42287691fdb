"""Mutation tests of isolation: each broken protection must make its proof fail."""

import pytest
from django.db import connection

from config.testing.database import connect
from config.testing.isolation.fixtures import AttackFixture, create_attack_fixture
from config.testing.isolation.mutations import (
    MUTATIONS,
    Mutation,
    available_mutations,
    run_as_owner,
    run_mutation,
)


@pytest.fixture
def attack_fixture(transactional_db):
    return create_attack_fixture(2)


def empty_attack_fixture():
    """Return an empty attack fixture in the test database."""
    return AttackFixture(connection.settings_dict["NAME"], (), {}, {}, (), {})


@pytest.mark.security("other tenant", mutation=True)
def test_every_sabotage_is_caught(attack_fixture, attacks):
    # All mutations share the fixture: each one repairs what it breaks.
    outcomes = [run_mutation(each, attack_fixture) for each in available_mutations()]

    attacks.record(len(outcomes), [each.name for each in outcomes if each.caught])
    assert [(each.name, each.what) for each in outcomes if not each.caught] == []
    assert len(outcomes) >= len(MUTATIONS) - 1


def test_proof_that_stays_green_is_not_a_catch(db):
    attack_fixture = empty_attack_fixture()
    blind = Mutation("x", run_as_owner("SELECT 1", "SELECT 1"), lambda attack_fixture: [])

    assert run_mutation(blind, attack_fixture).what == "the proof did not fail"


def test_proof_that_is_always_red_is_not_a_catch(db):
    attack_fixture = empty_attack_fixture()
    shrill = Mutation("x", run_as_owner("SELECT 1", "SELECT 1"), lambda attack_fixture: ["red"])

    assert not run_mutation(shrill, attack_fixture).caught


def test_breakage_is_mended_when_the_proof_breaks_off(db):
    attack_fixture = empty_attack_fixture()
    breakage = run_as_owner("CREATE TABLE sabotaged ()", "DROP TABLE sabotaged")
    with pytest.raises(ZeroDivisionError), breakage(attack_fixture):
        _ = 1 / 0
    with connect("conclave_owner") as owner:
        assert owner.execute("SELECT to_regclass('sabotaged')").fetchone() == (None,)
