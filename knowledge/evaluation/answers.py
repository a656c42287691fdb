"""Expected answers of a judged dataset, and metrics of the answers given.

`answers.jsonl` has one object per question: `_id`, `gold` (strings of which a correct answer contains at least one;
empty if no passage answers the question), optionally `half` (`tuning` or `judging`), and `text` (the question, if
`queries.jsonl` does not contain it).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.evaluation.datasets import Dataset, DatasetError, read_objects

FILE = "answers.jsonl"


@dataclass(frozen=True, slots=True)
class ExpectedAnswer:
    """A question and the strings of its correct answers; without strings, the question must be declined."""

    question: str
    gold: tuple[str, ...]
    half: str = ""

    @property
    def is_answerable(self) -> bool:
        """Whether a passage answers the question."""
        return bool(self.gold)

    def matches(self, answer: str) -> bool:
        """Return whether the answer contains a gold string; any white space equals one space."""
        text = " ".join(answer.split())
        return any(" ".join(gold.split()) in text for gold in self.gold)


@dataclass(frozen=True, slots=True)
class AnswerMetrics:
    """Shares from 0 to 1, and the numbers of questions that they refer to.

    `gold` and `false_declines` are shares of the answerable questions, `absent_declined` of the others. `wrong` is the
    share of given answers without a gold string, so every answer to a question that has none is wrong.
    """

    answerable: int
    absent: int
    given: int
    gold: float
    false_declines: float
    absent_declined: float
    wrong: float


def load_expected_answers(folder: Path, dataset: Dataset) -> dict[str, ExpectedAnswer]:
    """Return the expected answers by question id; empty without `answers.jsonl`.

    Raises:
        DatasetError: If the file is malformed.
    """
    path = folder / FILE
    if not path.exists():
        return {}
    return {str(row["_id"]): _parse_answer(row, dataset) for row in read_objects(path, "_id", "gold")}


def _parse_answer(row: Mapping[str, Any], dataset: Dataset) -> ExpectedAnswer:
    identifier, gold = str(row["_id"]), row["gold"]
    question = row.get("text") or dataset.queries.get(identifier)
    if not isinstance(question, str):
        raise DatasetError(f"{FILE}: the question {identifier} has no text")
    if not isinstance(gold, list) or not all(isinstance(text, str) and text.strip() for text in gold):
        raise DatasetError(f"{FILE}: gold of {identifier} must be a list of strings that are not blank")
    return ExpectedAnswer(question, tuple(gold), str(row.get("half", "")))


def compute_answer_metrics(
    answers: Mapping[str, str | None], expected: Mapping[str, ExpectedAnswer]
) -> AnswerMetrics:
    """Return the metrics of answers by question id; None and missing answers are declined questions."""
    given = {key: answer for key in expected if (answer := answers.get(key)) is not None}
    correct = sum(expected[key].matches(answer) for key, answer in given.items())
    answerable = {key for key, each in expected.items() if each.is_answerable}
    absent = expected.keys() - answerable
    return AnswerMetrics(
        answerable=len(answerable),
        absent=len(absent),
        given=len(given),
        gold=_share(correct, len(answerable)),
        false_declines=_share(len(answerable - given.keys()), len(answerable)),
        absent_declined=_share(len(absent - given.keys()), len(absent)),
        wrong=_share(len(given) - correct, len(given)),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def compute_metrics_by_half(
    answers: Mapping[str, str | None], expected: Mapping[str, ExpectedAnswer]
) -> dict[str, AnswerMetrics]:
    """Return the metrics of each half of the questions."""
    halves = dict.fromkeys(each.half for each in expected.values())
    return {
        half: compute_answer_metrics(
            answers, {key: each for key, each in expected.items() if each.half == half}
        )
        for half in halves
    }
