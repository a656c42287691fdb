"""Mutation tests of isolation: each broken protection must make its proof fail."""

import pytest
from django.db import connection

from config.isolation.ground import Ground, prepare
from config.isolation.sabotage import SABOTAGES, Sabotage, commit_sabotage, owner_does, possible
from config.testing.database import connect


@pytest.fixture
def ground(transactional_db):
    return prepare(2)


def nowhere():
    """Return an empty attack fixture in the test database."""
    return Ground(connection.settings_dict["NAME"], (), {}, (), {})


def test_every_sabotage_is_caught(ground):
    # All mutations share the fixture: each one repairs what it breaks.
    outcomes = [commit_sabotage(each, ground) for each in possible()]

    assert [(each.name, each.what) for each in outcomes if not each.caught] == []
    assert len(outcomes) >= len(SABOTAGES) - 1


def test_proof_that_stays_green_is_not_a_catch(db):
    ground = nowhere()
    blind = Sabotage("x", owner_does("SELECT 1", "SELECT 1"), lambda ground: [])

    assert commit_sabotage(blind, ground).what == "the proof did not fail"


def test_proof_that_is_always_red_is_not_a_catch(db):
    ground = nowhere()
    shrill = Sabotage("x", owner_does("SELECT 1", "SELECT 1"), lambda ground: ["red"])

    assert not commit_sabotage(shrill, ground).caught


def test_breakage_is_mended_when_the_proof_breaks_off(db):
    ground = nowhere()
    breakage = owner_does("CREATE TABLE sabotaged ()", "DROP TABLE sabotaged")
    with pytest.raises(ZeroDivisionError), breakage(ground):
        _ = 1 / 0
    with connect("conclave_owner") as owner:
        assert owner.execute("SELECT to_regclass('sabotaged')").fetchone() == (None,)
