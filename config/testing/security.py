"""Counts of attack attempts and successes by class.

A test of an attack has the marker `security("<class>")` and uses the fixture `attacks`. A mutation test has
`mutation=True`: it removes the protection and shows that the same attack then succeeds.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

PROPERTY = "security"


class Attacks:
    """Attempts of one test, each with its outcome."""

    def __init__(self, *, mutation: bool) -> None:
        self.mutation = mutation
        self.attempts = 0
        self.successes: list[str] = []

    def attempt(self, name: str = "", *, succeeded: bool) -> None:
        """Record one attempt. `name` describes it in the failure message."""
        self.attempts += 1
        if succeeded:
            self.successes.append(name or f"attempt {self.attempts}")

    def record(self, attempts: int, successes: list[str]) -> None:
        """Record the attempts of a report, with descriptions of those that succeeded."""
        self.attempts += attempts
        self.successes += successes

    def check(self) -> None:
        """Fail the test unless every attack failed, or any succeeded in a mutation test."""
        if not self.attempts:
            pytest.fail("The test records no attack attempt.")
        if self.mutation and not self.successes:
            pytest.fail(f"None of {self.attempts} attacks succeeded without the protection.")
        if not self.mutation and self.successes:
            pytest.fail(
                f"{len(self.successes)} of {self.attempts} attacks succeeded: {', '.join(self.successes[:20])}"
            )


@pytest.fixture
def attacks(request: pytest.FixtureRequest) -> Iterator[Attacks]:
    """Record the attack attempts of a test with the marker `security`."""
    marker = request.node.get_closest_marker("security")
    if marker is None:
        pytest.fail("The fixture `attacks` needs the marker `security`.")
    recorded = Attacks(mutation=marker.kwargs.get("mutation", False))
    yield recorded
    outcome = (marker.args[0], recorded.mutation, recorded.attempts, len(recorded.successes))
    request.node.user_properties.append((PROPERTY, outcome))
    recorded.check()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "security(class_name, mutation=False): records attack attempts in a class"
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    attempts, successes, mutations = Counter[str](), Counter[str](), Counter[str]()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") != "teardown":
                continue
            for class_name, mutation, tried, succeeded in _outcomes(report):
                mutations[class_name] += mutation and succeeded > 0
                if not mutation:
                    attempts[class_name] += tried
                    successes[class_name] += succeeded
    if not attempts:
        return
    terminalreporter.section("security")
    terminalreporter.line(f"{'class':32}{'attempts':>10}{'successes':>11}{'mutations caught':>18}")
    for class_name in sorted(attempts | mutations):
        counts = f"{attempts[class_name]:>10}{successes[class_name]:>11}{mutations[class_name]:>18}"
        terminalreporter.line(f"{class_name:32}{counts}")
    total = f"{attempts.total():>10}{successes.total():>11}{mutations.total():>18}"
    terminalreporter.line(f"{'total':32}{total}")


def _outcomes(report: Any) -> list[Any]:
    return [outcome for name, outcome in report.user_properties if name == PROPERTY]
