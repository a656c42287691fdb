import pytest

from config.isolation.attacks import ATTACKS
from config.isolation.ground import prepare
from config.isolation.matrix import run_matrix


@pytest.mark.django_db(transaction=True)
def test_x():
    g = prepare(2)
    ts = [t for t in g.targets if t.is_report or t.table == "agents_agent"]
    r = run_matrix(g, ATTACKS, g.pairs(2), targets=ts)
    for f in r.findings:
        print(f.attack, f.table, f.what[:100], f.what[-60:])
    assert len(ts) == 5 and not r.findings
