"""Paired bootstrap of two systems' scores."""

import pytest

from knowledge.evaluation.significance import MeanDifference, compare_paired_scores


def test_equal_scores_do_not_differ():
    assert compare_paired_scores([0.2, 1.0], [0.2, 1.0]) == MeanDifference(0.0, 0.0, 0.0, 1.0)


def test_constant_difference_has_an_interval_of_one_point():
    found = compare_paired_scores([0.75, 1.0, 0.5], [0.25, 0.5, 0.0])

    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)
    assert found.p_value == 2 / 10_001


def test_interval_of_two_questions_has_their_differences_as_bounds():
    found = compare_paired_scores([1.0, 0.0], [0.0, 0.0])

    # A quarter of the resamples repeats either question, so the tails of 2.5 % reach both differences.
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)
    assert found.p_value == pytest.approx(2 * 0.25, abs=0.03)


def test_exchanged_systems_have_the_opposite_difference():
    first, second = [0.9, 0.4, 0.6, 1.0, 0.3], [0.5, 0.5, 0.6, 0.2, 0.1]
    one, other = compare_paired_scores(first, second), compare_paired_scores(second, first)

    assert (one.mean, one.low, one.high) == (-other.mean, -other.high, -other.low)
    assert one.p_value == other.p_value


def test_bounds_are_the_2_5_and_97_5_percentiles():
    # The mean of 100 resampled coins has a standard deviation of 0.05: 1.96 of them on either side of 0.5.
    found = compare_paired_scores([0.0, 1.0] * 50, [0.0] * 100)

    assert found.low == pytest.approx(0.402, abs=0.015)
    assert found.high == pytest.approx(0.598, abs=0.015)


def test_scores_that_cannot_be_paired_are_refused():
    with pytest.raises(ValueError, match="no scores"):
        compare_paired_scores([], [])
    with pytest.raises(ValueError, match="shorter"):
        compare_paired_scores([1.0, 1.0], [1.0])
