"""`manage.py rag_eval`: measure search quality and the offline model's answers on judged questions."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError

from agents.runtime.answer_evaluation import answer_questions
from config.tenancy.scope import tenant_scope
from knowledge.choices import EvaluationStatus, RetrievalStrategy
from knowledge.embedders import EmbeddingError, default_embedder
from knowledge.evaluation import tables
from knowledge.evaluation.answers import (
    ExpectedAnswer,
    compute_metrics_by_half,
    load_expected_answers,
)
from knowledge.evaluation.datasets import Dataset, DatasetError, load_dataset
from knowledge.evaluation.regression import (
    DEFAULT_TOLERANCE,
    MIN_QUESTIONS,
    MetricDifference,
    QuestionScore,
    compute_language_metrics,
    list_worse_questions,
    parse_scores,
)
from knowledge.languages import detect_language
from knowledge.models import Collection, RagEvaluation
from knowledge.services.collection_evaluation import (
    get_baseline,
    list_accepted_questions,
    run_evaluation,
    save_baseline,
)
from knowledge.services.evaluation import StrategyScore, build_report, index_dataset
from tenants.services.lookup import get_tenant_by_slug

ACTOR = "system:rag_eval"
# Exit codes, as those of pytest and ruff: the measured quality, and everything else.
REGRESSION, FAILURE = 1, 2


class Command(BaseCommand):
    help = (
        "Measure search and the offline model's answers on judged questions: of a BEIR or TREC dataset, which is "
        "indexed temporarily and not stored, or the accepted questions of a collection, whose evaluation is stored. "
        "With --gate, exit with code 1 if a metric of the collection is significantly worse than its baseline."
    )

    def add_arguments(self, parser: Any) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("dataset", nargs="?", type=Path, help="Folder of the dataset.")
        source.add_argument("--collection", help="Slug of a collection with accepted questions.")
        parser.add_argument("--tenant", default="demo", help="Slug of the tenant (default: demo).")
        parser.add_argument(
            "--model", action="append", default=[], help="Embedding model for the dataset; can be repeated."
        )
        parser.add_argument(
            "--strategy",
            action="append",
            default=[],
            choices=RetrievalStrategy.values,
            help="Retrieval strategy for the dataset; can be repeated.",
        )
        parser.add_argument(
            "--gate",
            action="store_true",
            help="Exit with code 1 if a metric of the collection is worse than its baseline: p < 0.05, and by "
            "more than the tolerance.",
        )
        parser.add_argument(
            "--save-baseline",
            action="store_true",
            help="Store the result as the baseline of the collection; with --gate only if it passes.",
        )
        parser.add_argument(
            "--tolerance",
            type=_parse_share,
            default=DEFAULT_TOLERANCE,
            help=f"Tolerance of the saved baseline, from 0 to 1 (default: {DEFAULT_TOLERANCE}).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = get_tenant_by_slug(options["tenant"])
            if options["collection"]:
                self._evaluate_collection(tenant.pk, options)
            elif options["gate"] or options["save_baseline"]:
                raise CommandError("--gate and --save-baseline need --collection.", returncode=FAILURE)
            else:
                self._evaluate_dataset(tenant.pk, options)
        except (DatasetError, EmbeddingError, ObjectDoesNotExist) as error:
            raise CommandError(str(error), returncode=FAILURE) from error

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)

    # -- datasets ----------------------------------------------------------------------------------------

    def _evaluate_dataset(self, tenant_id: UUID, options: Mapping[str, Any]) -> None:
        dataset = load_dataset(options["dataset"])
        expected = load_expected_answers(options["dataset"], dataset)
        self.stdout.write(
            f"{dataset.name}: {len(dataset.passages)} passages, {len(dataset.judgements)} judged questions"
        )
        strategies = list(dict.fromkeys(options["strategy"])) or RetrievalStrategy.values
        for model in options["model"] or [default_embedder().name]:
            self._evaluate_model(tenant_id, dataset, expected, model, strategies)

    def _evaluate_model(
        self,
        tenant_id: UUID,
        dataset: Dataset,
        expected: Mapping[str, ExpectedAnswer],
        model: str,
        strategies: Sequence[str],
    ) -> None:
        questions = {identifier: answer.question for identifier, answer in expected.items()}
        with index_dataset(tenant_id, dataset, embedding_model=model, questions=questions) as searched:
            scores = searched.score_strategies(dataset.judgements, strategies)
            answers = answer_questions(searched, expected)
        self._print(tables.format_scores(build_report(scores)))
        if len(scores) > 1:
            ndcgs = {score.strategy: list(score.ndcgs.values()) for score in scores}
            self._print(tables.format_strategy_differences(ndcgs))
        languages = {key: detect_language(dataset.queries[key]) for key in dataset.judgements}
        if len(set(languages.values())) > 1:
            self._print(tables.format_languages(_list_languages(scores, languages)))
        if expected:
            self._print(tables.format_answers(compute_metrics_by_half(answers, expected)))

    # -- collections -------------------------------------------------------------------------------------

    def _evaluate_collection(self, tenant_id: UUID, options: Mapping[str, Any]) -> None:
        with tenant_scope(tenant_id, actor=ACTOR):
            collection = Collection.objects.get(slug=options["collection"])
            baseline = get_baseline(collection)
        if options["gate"] and baseline is None:
            raise CommandError(
                "The collection has no baseline. Create one with --save-baseline.", returncode=FAILURE
            )
        evaluation = self._run_evaluation(tenant_id, collection)
        scores = parse_scores(evaluation.scores)
        self._show_evaluation(evaluation, scores)
        if baseline:
            differences = [MetricDifference(**row) for row in evaluation.differences]
            self._print(tables.format_regressions(differences))
            if options["gate"]:
                with tenant_scope(tenant_id, actor=ACTOR):
                    texts = {str(row.pk): row.question for row in list_accepted_questions(collection)}
                self._check_regressions(parse_scores(baseline.scores), scores, differences, texts)
        if options["save_baseline"]:
            with tenant_scope(tenant_id, actor=ACTOR):
                save_baseline(evaluation, tolerance=options["tolerance"])
            self.stdout.write("The baseline is saved.")

    def _run_evaluation(self, tenant_id: UUID, collection: Collection) -> RagEvaluation:
        with tenant_scope(tenant_id, actor=ACTOR):
            evaluation = RagEvaluation.objects.create(name="rag_eval", collection=collection)
        run_evaluation(tenant_id, evaluation.pk, answer_questions)
        with tenant_scope(tenant_id, actor=ACTOR):
            evaluation = RagEvaluation.objects.select_related("collection").get(pk=evaluation.pk)
        if evaluation.status != EvaluationStatus.COMPLETED:
            raise CommandError(evaluation.error_message, returncode=FAILURE)
        return evaluation

    def _show_evaluation(self, evaluation: RagEvaluation, scores: Mapping[str, QuestionScore]) -> None:
        self.stdout.write(f"{evaluation.collection.slug}: {len(scores)} accepted questions")
        self._print(tables.format_scores(evaluation.results))
        self._print(
            tables.format_languages(
                (row.language, RetrievalStrategy.HYBRID, row.questions, row.ndcg_at_10, row.recall_at_10)
                for row in compute_language_metrics(scores.values())
            )
        )
        gold = [score.gold for score in scores.values() if score.gold is not None]
        if gold:
            self.stdout.write(
                f"answers with a gold text: {sum(gold) / len(gold):.4f} of {len(gold)} questions"
            )

    def _check_regressions(
        self,
        before: Mapping[str, QuestionScore],
        after: Mapping[str, QuestionScore],
        differences: Sequence[MetricDifference],
        texts: Mapping[str, str],
    ) -> None:
        """Print the questions that got worse, and fail if a metric did.

        Raises:
            CommandError: If a metric is significantly worse, or too few questions are in both evaluations.
        """
        common = len(before.keys() & after.keys())
        if common < MIN_QUESTIONS:
            raise CommandError(
                f"The gate needs {MIN_QUESTIONS} questions that are also in the baseline; there are {common}.",
                returncode=FAILURE,
            )
        if worse := list_worse_questions(before, after):
            self._print(tables.format_worse_questions(worse, texts))
        if failed := [each.metric for each in differences if each.is_regression]:
            raise CommandError(
                f"Significantly worse than the baseline: {', '.join(failed)}.", returncode=REGRESSION
            )


def _list_languages(
    scores: Iterable[StrategyScore], languages: Mapping[str, str]
) -> Iterable[tuple[str, str, int, float, float]]:
    for score in scores:
        questions = (
            QuestionScore(key, languages[key], ndcg, score.recalls[key]) for key, ndcg in score.ndcgs.items()
        )
        for row in compute_language_metrics(questions):
            yield row.language, score.strategy, row.questions, row.ndcg_at_10, row.recall_at_10


def _parse_share(text: str) -> float:
    """Return a number from 0 to 1.

    Raises:
        ValueError: If it is not one.
    """
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value
