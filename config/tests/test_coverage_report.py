"""Coverage exceptions: only known modules may be below the limit, and the list may only shrink."""

import pytest

from config.tests.coverage_report import find_problems

KNOWN = {"a.py": {"percent": 70, "reason": "runs as another program"}}


@pytest.mark.parametrize(
    ("measured", "exceptions", "problem"),
    [
        ({"a.py": 79.0}, {}, "a.py: 79 %, the limit is 85 %"),
        ({"a.py": 60.0}, KNOWN, "a.py: 60 %, was 70 %"),
        ({"a.py": 90.0}, KNOWN, "a.py: 90 %, remove the exception"),
        ({}, KNOWN, "a.py: does not exist, remove the exception"),
        ({"a.py": 70.0}, {"a.py": {"percent": 70, "reason": ""}}, "a.py: the exception has no reason"),
    ],
)
def test_differences_are_reported(measured, exceptions, problem):
    assert find_problems(measured, exceptions) == [problem]


def test_known_and_covered_modules_pass():
    assert find_problems({"a.py": 71.0, "b.py": 85.0}, KNOWN) == []
