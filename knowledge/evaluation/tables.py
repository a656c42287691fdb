"""Tables of evaluations as lines of text, for the command line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from knowledge.evaluation.answers import AnswerMetrics
from knowledge.evaluation.regression import MetricDifference, WorseQuestion
from knowledge.evaluation.significance import compare_paired_scores

COLUMNS = ("ndcg_at_10", "recall_at_10", "mrr")
MAX_WORSE, QUESTION_WIDTH = 20, 60


def format_scores(report: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the metrics of each strategy, of rows in the format of `build_report`."""
    yield f"{'model':<24}{'strategy':<10}{'nDCG@10':>9}{'recall@10':>11}{'MRR':>8}"
    for row in report:
        ndcg, recall, mrr = (row[name] for name in COLUMNS)
        yield f"{row['embedding_model']:<24}{row['strategy']:<10}{ndcg:>9.4f}{recall:>11.4f}{mrr:>8.4f}"


def format_strategy_differences(ndcgs: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Yield the differences in nDCG@10 between strategies, of the scores per question."""
    yield f"{'difference in nDCG@10':<34}{'mean':>9}{'95 % interval':>22}{'p':>9}"
    for first, second in combinations(ndcgs, 2):
        found = compare_paired_scores(ndcgs[first], ndcgs[second])
        interval = f"{found.low:+.4f} to {found.high:+.4f}"
        yield f"{f'{first} - {second}':<34}{found.mean:>+9.4f}{interval:>22}{found.p_value:>9.4f}"


def format_languages(rows: Iterable[tuple[str, str, int, float, float]]) -> Iterator[str]:
    """Yield the metrics of each language and strategy: language, strategy, questions, nDCG@10, recall@10."""
    yield f"{'language':<12}{'strategy':<10}{'questions':>10}{'nDCG@10':>9}{'recall@10':>11}"
    for language, strategy, questions, ndcg, recall in rows:
        yield f"{language or 'unknown':<12}{strategy:<10}{questions:>10}{ndcg:>9.4f}{recall:>11.4f}"


def format_answers(metrics: Mapping[str, AnswerMetrics]) -> Iterator[str]:
    """Yield the metrics of the answers to each half of the questions."""
    yield (
        f"{'answers':<12}{'answerable':>11}{'gold':>8}{'false declines':>16}"
        f"{'absent':>8}{'declined':>10}{'given':>7}{'wrong':>8}"
    )
    for half, each in metrics.items():
        yield (
            f"{half or 'all':<12}{each.answerable:>11}{each.gold:>8.4f}{each.false_declines:>16.4f}"
            f"{each.absent:>8}{each.absent_declined:>10.4f}{each.given:>7}{each.wrong:>8.4f}"
        )


def format_regressions(differences: Iterable[MetricDifference]) -> Iterator[str]:
    """Yield the difference of each metric to the baseline."""
    yield (
        f"{'metric':<14}{'questions':>10}{'baseline':>10}{'now':>9}{'difference':>12}"
        f"{'95 % interval':>22}{'p':>9}  result"
    )
    for each in differences:
        interval = f"{each.low:+.4f} to {each.high:+.4f}"
        yield (
            f"{each.metric:<14}{each.questions:>10}{each.before:>10.4f}{each.after:>9.4f}{each.mean:>+12.4f}"
            f"{interval:>22}{each.p_value:>9.4f}  {'worse' if each.is_regression else 'ok'}"
        )


def format_worse_questions(worse: Sequence[WorseQuestion], texts: Mapping[str, str]) -> Iterator[str]:
    """Yield the questions whose metrics decreased; `texts` has their texts by ID."""
    yield f"{'metric':<14}{'baseline':>9}{'now':>9}  question"
    for each in worse[:MAX_WORSE]:
        text = texts.get(each.question, each.question)
        shown = text if len(text) <= QUESTION_WIDTH else f"{text[: QUESTION_WIDTH - 1]}…"
        yield f"{each.metric:<14}{each.before:>9.4f}{each.after:>9.4f}  {shown}"
    if len(worse) > MAX_WORSE:
        yield f"… and {len(worse) - MAX_WORSE} more"
