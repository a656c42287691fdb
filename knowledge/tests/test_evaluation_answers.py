"""Expected answers of datasets, and metrics of the answers given."""

import json

import pytest

from knowledge.evaluation.answers import (
    AnswerMetrics,
    ExpectedAnswer,
    compute_answer_metrics,
    compute_metrics_by_half,
    load_expected_answers,
)
from knowledge.evaluation.datasets import Dataset, DatasetError

DATASET = Dataset("small", [], {"1": "When is high water?"}, {})
EXPECTED = {
    "1": ExpectedAnswer("When is high water?", ("at noon", "12:00"), "tuning"),
    "2": ExpectedAnswer("How long does it last?", ("an hour",), "judging"),
    "3": ExpectedAnswer("Who measures it?", ("The pilot",), "judging"),
    "4": ExpectedAnswer("What does it cost?", (), "judging"),
    "5": ExpectedAnswer("Who won the cup?", (), "judging"),
}


def write_answers(folder, *rows):
    (folder / "answers.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def test_metrics_of_answers():
    answers = {"1": "It is at\nnoon [1].", "2": "A day [1].", "3": None, "4": "Ten pounds [1].", "5": None}

    assert compute_answer_metrics(answers, EXPECTED) == AnswerMetrics(
        answerable=3, absent=2, given=3, gold=1 / 3, false_declines=1 / 3, absent_declined=1 / 2, wrong=2 / 3
    )


def test_missing_answer_is_a_declined_question():
    assert compute_answer_metrics({}, EXPECTED) == AnswerMetrics(3, 2, 0, 0.0, 1.0, 1.0, 0.0)


def test_answer_to_a_question_outside_the_dataset_does_not_count():
    assert compute_answer_metrics({"9": "At noon."}, EXPECTED).given == 0


def test_any_gold_string_is_a_correct_answer():
    assert compute_answer_metrics({"1": "At 12:00 [1]."}, EXPECTED).wrong == 0.0
    assert compute_answer_metrics({"1": "AT NOON [1]."}, EXPECTED).wrong == 1.0


def test_metrics_of_each_half():
    answers = {"1": "at noon", "2": "an hour", "4": "Ten pounds."}

    assert compute_metrics_by_half(answers, EXPECTED) == {
        "tuning": AnswerMetrics(1, 0, 1, 1.0, 0.0, 0.0, 0.0),
        "judging": AnswerMetrics(2, 2, 2, 1 / 2, 1 / 2, 1 / 2, 1 / 2),
    }


def test_no_questions_have_no_metrics():
    assert compute_answer_metrics({}, {}) == AnswerMetrics(0, 0, 0, 0.0, 0.0, 0.0, 0.0)


def test_expected_answers_are_read(tmp_path):
    folder = write_answers(
        tmp_path,
        {"_id": "1", "half": "tuning", "gold": ["at noon"]},
        {"_id": "2", "half": "judging", "gold": [], "text": "Who won the cup?"},
    )

    assert load_expected_answers(folder, DATASET) == {
        "1": ExpectedAnswer("When is high water?", ("at noon",), "tuning"),
        "2": ExpectedAnswer("Who won the cup?", (), "judging"),
    }


def test_dataset_without_expected_answers(tmp_path):
    assert load_expected_answers(tmp_path, DATASET) == {}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"_id": "1"}, "answers.jsonl, line 1: needs _id, gold"),
        ({"_id": "2", "gold": []}, "the question 2 has no text"),
        ({"_id": "1", "gold": "noon"}, "gold of 1 must be a list of strings"),
        ({"_id": "1", "gold": [" "]}, "gold of 1 must be a list of strings"),
    ],
)
def test_malformed_answers_are_refused(tmp_path, row, message):
    with pytest.raises(DatasetError, match=message):
        load_expected_answers(write_answers(tmp_path, row), DATASET)
