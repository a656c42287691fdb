"""Comparison of evaluations, question by question."""

import pytest

from knowledge.evaluation.regression import (
    LanguageMetrics,
    QuestionScore,
    WorseQuestion,
    compare_scores,
    compute_language_metrics,
    list_worse_questions,
)


def make_scores(ndcgs, gold=None, languages=()):
    languages = [*languages, *["en"] * len(ndcgs)]
    return {str(n): QuestionScore(str(n), languages[n], ndcg, ndcg, gold) for n, ndcg in enumerate(ndcgs)}


@pytest.mark.parametrize(
    ("before", "after", "tolerance", "is_regression"),
    [
        ([1.0] * 12, [1.0] * 4 + [0.5] * 8, 0.01, True),
        ([1.0] * 12, [1.0] * 4 + [0.5] * 8, 0.4, False),
        ([1.0] * 12, [1.0] * 11 + [0.0], 0.01, False),
        ([0.5] * 12, [1.0] * 12, 0.01, False),
        ([1.0] * 9, [0.0] * 9, 0.01, False),
    ],
    ids=["worse", "within-tolerance", "not-significant", "better", "too-few-questions"],
)
def test_a_regression_is_significant_and_beyond_the_tolerance(before, after, tolerance, is_regression):
    found = compare_scores(make_scores(before), make_scores(after), tolerance=tolerance)

    assert [each.metric for each in found] == ["ndcg_at_10", "recall_at_10"]
    assert [each.is_regression for each in found] == [is_regression] * 2


def test_only_common_questions_are_compared():
    before, after = make_scores([1.0, 0.5]), make_scores([1.0, 1.0, 0.0], gold=1.0)
    found = compare_scores(before, after, tolerance=0.0)

    assert [(each.metric, each.questions, each.before, each.after) for each in found] == [
        ("ndcg_at_10", 2, 0.75, 1.0),
        ("recall_at_10", 2, 0.75, 1.0),
    ]
    assert compare_scores({}, after, tolerance=0.0) == []


def test_worse_questions_are_sorted_by_their_decrease():
    before, after = make_scores([1.0, 1.0, 0.5]), make_scores([0.8, 0.2, 0.5])

    assert list_worse_questions(before, after, ["ndcg_at_10"]) == [
        WorseQuestion("1", "ndcg_at_10", 1.0, 0.2),
        WorseQuestion("0", "ndcg_at_10", 1.0, 0.8),
    ]


def test_metrics_are_averaged_by_language():
    scores = make_scores([1.0, 0.0, 0.5], languages=["de", "en", "en"])

    assert compute_language_metrics(scores.values()) == [
        LanguageMetrics("en", 2, 0.25, 0.25, None),
        LanguageMetrics("de", 1, 1.0, 1.0, None),
    ]
