"""Marker, fixture and summary that count attacks (`config.testing.security`)."""

import re
from pathlib import Path

import pytest

from config.testing.security import Attacks

ROOT = Path(__file__).resolve().parents[2]
MARKER = re.compile(r'mark\.security\(\s*"(?P<name>[^"]+)"(?P<mutation>, mutation=True)?')
Failed = pytest.fail.Exception


def _marked_classes(*, mutation):
    paths = [path for path in ROOT.glob("*/tests/**/test_*.py") if path != Path(__file__)]
    found = [match for path in paths for match in MARKER.finditer(path.read_text())]
    return {match["name"] for match in found if bool(match["mutation"]) is mutation}


def test_every_class_has_attacks_and_a_mutation():
    assert _marked_classes(mutation=False) == _marked_classes(mutation=True)


@pytest.mark.parametrize(
    ("mutation", "outcomes", "fails"),
    [
        (False, [False, False], False),
        (False, [False, True], True),
        (False, [], True),
        (True, [False, True], False),
        (True, [False], True),
        (True, [], True),
    ],
)
def test_outcomes_decide_whether_the_test_fails(mutation, outcomes, fails):
    attacks = Attacks(mutation=mutation)
    for succeeded in outcomes:
        attacks.attempt(succeeded=succeeded)
    if not fails:
        attacks.check()
        return
    with pytest.raises(Failed):
        attacks.check()


SAMPLE = """
import pytest

@pytest.mark.security("sample")
def test_attack(attacks):
    attacks.attempt(succeeded=False)
    attacks.attempt("leak", succeeded={leak})

@pytest.mark.security("sample", mutation=True)
def test_mutation(attacks):
    attacks.attempt(succeeded=True)
"""


@pytest.mark.parametrize(("leak", "line"), [(False, ["2", "0", "1"]), (True, ["2", "1", "1"])])
def test_summary_counts_attempts_by_class(pytester, leak, line):
    pytester.makepyfile(SAMPLE.format(leak=leak))
    result = pytester.runpytest_inprocess(
        "-p", "config.testing.security", "-p", "no:django", "-p", "no:cacheprovider"
    )
    rows = [text.split() for text in result.outlines if text.startswith("sample ")]
    assert rows == [["sample", *line]]
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if leak else pytest.ExitCode.OK)
    assert ("1 of 2 attacks succeeded: leak" in result.stdout.str()) is leak
