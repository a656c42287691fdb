"""Each protection is broken in the test database: its proof must turn red, and green again afterwards."""

import pytest

from config.isolation.ground import prepare
from config.isolation.sabotage import SABOTAGES, Sabotage, commit_sabotage, owner_does
from config.testing.database import connect, has_superuser


@pytest.fixture
def ground(transactional_db):
    return prepare(2)


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda each: each.name)
def test_sabotage_is_caught(ground, sabotage):
    if sabotage.needs_superuser and not has_superuser():
        pytest.skip("the superuser is at hand on the embedded server alone")
    outcome = commit_sabotage(sabotage, ground)

    assert outcome.caught, outcome.what


def test_proof_that_stays_green_is_not_a_catch(ground):
    blind = Sabotage("x", owner_does("SELECT 1", "SELECT 1"), lambda ground: [])

    assert commit_sabotage(blind, ground).what == "the proof stayed green"


def test_proof_that_is_always_red_is_not_a_catch(ground):
    shrill = Sabotage("x", owner_does("SELECT 1", "SELECT 1"), lambda ground: ["red"])

    assert not commit_sabotage(shrill, ground).caught


def test_breakage_is_mended_when_the_proof_breaks_off(ground):
    breakage = owner_does("CREATE TABLE sabotaged ()", "DROP TABLE sabotaged")
    with pytest.raises(ZeroDivisionError), breakage(ground):
        _ = 1 / 0
    with connect("conclave_owner") as owner:
        assert owner.execute("SELECT to_regclass('sabotaged')").fetchone() == (None,)
