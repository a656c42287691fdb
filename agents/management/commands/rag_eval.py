"""`manage.py rag_eval`: measure search quality and the offline model's answers on judged questions."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError

from agents.runtime.answer_evaluation import answer_questions
from knowledge.choices import RetrievalStrategy
from knowledge.embedders import EmbeddingError, default_embedder
from knowledge.evaluation.answers import (
    AnswerMetrics,
    ExpectedAnswer,
    compute_metrics_by_half,
    load_expected_answers,
)
from knowledge.evaluation.datasets import Dataset, DatasetError, load_dataset
from knowledge.evaluation.significance import compare_paired_scores
from knowledge.services.evaluation import StrategyScore, build_report, index_dataset
from tenants.services.lookup import get_tenant_by_slug

COLUMNS = ("ndcg_at_10", "recall_at_10", "mrr")


class Command(BaseCommand):
    help = (
        "Index a BEIR or TREC dataset temporarily, search it, and print nDCG@10, recall@10 and MRR of each "
        "strategy and embedding model, the differences between strategies, and the quality of the offline "
        "model's answers if the dataset has answers.jsonl. Stores nothing."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("dataset", type=Path, help="Folder of the dataset.")
        parser.add_argument(
            "--tenant", default="demo", help="Slug of the tenant to index the dataset for (default: demo)."
        )
        parser.add_argument("--model", action="append", default=[], help="Embedding model; can be repeated.")
        parser.add_argument(
            "--strategy",
            action="append",
            default=[],
            choices=RetrievalStrategy.values,
            help="Retrieval strategy; can be repeated.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            dataset = load_dataset(options["dataset"])
            expected = load_expected_answers(options["dataset"], dataset)
            tenant = get_tenant_by_slug(options["tenant"])
            self.stdout.write(
                f"{dataset.name}: {len(dataset.passages)} passages, {len(dataset.judgements)} judged questions"
            )
            for model in options["model"] or [default_embedder().name]:
                self._evaluate(tenant.pk, dataset, expected, model, options["strategy"])
        except (DatasetError, EmbeddingError, ObjectDoesNotExist) as error:
            raise CommandError(str(error)) from error

    def _evaluate(
        self,
        tenant_id: UUID,
        dataset: Dataset,
        expected: Mapping[str, ExpectedAnswer],
        model: str,
        strategies: Sequence[str],
    ) -> None:
        questions = {identifier: answer.question for identifier, answer in expected.items()}
        with index_dataset(tenant_id, dataset, embedding_model=model, questions=questions) as searched:
            scores = searched.score_strategies(
                dataset.judgements, list(dict.fromkeys(strategies)) or RetrievalStrategy.values
            )
            answers = answer_questions(searched, expected)
        self._show_scores(scores)
        if len(scores) > 1:
            self._show_differences(scores)
        if expected:
            self._show_answers(compute_metrics_by_half(answers, expected))

    def _show_scores(self, scores: Sequence[StrategyScore]) -> None:
        self.stdout.write(f"{'model':<24}{'strategy':<10}{'nDCG@10':>9}{'recall@10':>11}{'MRR':>8}")
        for row in build_report(scores):
            ndcg, recall, mrr = (row[name] for name in COLUMNS)
            self.stdout.write(
                f"{row['embedding_model']:<24}{row['strategy']:<10}{ndcg:>9.4f}{recall:>11.4f}{mrr:>8.4f}"
            )

    def _show_differences(self, scores: Sequence[StrategyScore]) -> None:
        self.stdout.write(f"{'difference in nDCG@10':<34}{'mean':>9}{'95 % interval':>22}{'p':>9}")
        for first, second in combinations(scores, 2):
            found = compare_paired_scores(list(first.ndcgs.values()), list(second.ndcgs.values()))
            interval = f"{found.low:+.4f} to {found.high:+.4f}"
            name = f"{first.strategy} - {second.strategy}"
            self.stdout.write(f"{name:<34}{found.mean:>+9.4f}{interval:>22}{found.p_value:>9.4f}")

    def _show_answers(self, metrics: Mapping[str, AnswerMetrics]) -> None:
        self.stdout.write(
            f"{'answers':<12}{'answerable':>11}{'gold':>8}{'false declines':>16}"
            f"{'absent':>8}{'declined':>10}{'given':>7}{'wrong':>8}"
        )
        for half, each in metrics.items():
            self.stdout.write(
                f"{half or 'all':<12}{each.answerable:>11}{each.gold:>8.4f}{each.false_declines:>16.4f}"
                f"{each.absent:>8}{each.absent_declined:>10.4f}{each.given:>7}{each.wrong:>8.4f}"
            )
