"""`manage.py rag_eval`: measure search quality on judged questions."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError

from knowledge.choices import RetrievalStrategy
from knowledge.embedders import EmbeddingError, default_embedder
from knowledge.evaluation.datasets import DatasetError, load_dataset
from knowledge.services.evaluation import build_report, evaluate_dataset
from tenants.services.lookup import get_tenant_by_slug

COLUMNS = ("ndcg_at_10", "recall_at_10", "mrr")


class Command(BaseCommand):
    help = (
        "Index a BEIR or TREC dataset temporarily, search it, and print nDCG@10, recall@10 and MRR of each "
        "strategy and embedding model. Stores nothing."
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
        strategies = options["strategy"] or RetrievalStrategy.values
        try:
            dataset = load_dataset(options["dataset"])
            tenant = get_tenant_by_slug(options["tenant"])
            self.stdout.write(
                f"{dataset.name}: {len(dataset.passages)} passages, {len(dataset.judgements)} judged questions"
            )
            self.stdout.write(f"{'model':<24}{'strategy':<10}{'nDCG@10':>9}{'recall@10':>11}{'MRR':>8}")
            for model in options["model"] or [default_embedder().name]:
                scores = evaluate_dataset(tenant.pk, dataset, embedding_model=model, strategies=strategies)
                self._show(build_report(scores))
        except (DatasetError, EmbeddingError, ObjectDoesNotExist) as error:
            raise CommandError(str(error)) from error

    def _show(self, report: list[dict[str, Any]]) -> None:
        for row in report:
            ndcg, recall, mrr = (row[name] for name in COLUMNS)
            self.stdout.write(
                f"{row['embedding_model']:<24}{row['strategy']:<10}{ndcg:>9.4f}{recall:>11.4f}{mrr:>8.4f}"
            )
