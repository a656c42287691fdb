"""Search evaluation with judged questions, on a dataset or a collection."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from procrastinate.contrib.django import app

from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from knowledge.choices import DocumentStatus, RetrievalStrategy
from knowledge.chunking import ChunkText, chunk_document
from knowledge.embedders import get_embedder
from knowledge.evaluation.datasets import Dataset, DatasetPassage
from knowledge.evaluation.metrics import RankingMetrics, compute_metrics, compute_ndcgs, compute_recalls
from knowledge.models import Chunk, Collection, Document, RagEvaluation
from knowledge.models.evaluations import MAX_GRADES, are_grades
from knowledge.parsing import parse_bytes
from knowledge.services.chunk_storage import store_chunks
from knowledge.services.chunks import join_context
from knowledge.services.search import FoundPassage, embed_search_query, search

# Chunks retrieved per question; a document takes the rank of its best chunk.
MAX_CHUNKS_PER_QUERY = 50
ACTOR = "system:evaluation"


@dataclass(frozen=True, slots=True)
class StrategyScore:
    """Metrics of one strategy with one embedding model; `ndcgs` and `recalls` by question."""

    embedding_model: str
    strategy: str
    metrics: RankingMetrics
    ndcgs: Mapping[str, float]
    recalls: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _ChunkedPassage:
    """A dataset passage and its chunks."""

    passage: DatasetPassage
    pieces: list[ChunkText]


@dataclass(frozen=True, slots=True)
class SearchedQuestions:
    """Questions by id, their vectors, and the collection to search."""

    collection: Collection
    queries: Mapping[str, str]
    vectors: Mapping[str, Mapping[str, str]]

    def search(self, identifier: str, *, strategy: str, limit: int) -> list[FoundPassage]:
        """Return the passages found for one question. Needs a tenant scope."""
        return search(
            self.queries[identifier],
            [self.collection],
            limit=limit,
            strategy=strategy,
            vectors=self.vectors[identifier],
        )

    def score_strategies(
        self, judgements: Mapping[str, Mapping[str, int]], strategies: Sequence[str]
    ) -> list[StrategyScore]:
        """Return the metrics of each strategy. Needs a tenant scope."""
        return [self._score_strategy(judgements, strategy) for strategy in strategies]

    def _score_strategy(self, judgements: Mapping[str, Mapping[str, int]], strategy: str) -> StrategyScore:
        rankings = {
            identifier: _rank_sources(self.search(identifier, strategy=strategy, limit=MAX_CHUNKS_PER_QUERY))
            for identifier in judgements
        }
        return StrategyScore(
            self.collection.embedding_model,
            strategy,
            compute_metrics(rankings, judgements),
            compute_ndcgs(rankings, judgements),
            compute_recalls(rankings, judgements),
        )


@contextmanager
def index_dataset(
    tenant_id: UUID,
    dataset: Dataset,
    *,
    embedding_model: str,
    questions: Mapping[str, str] | None = None,
    chunk_size: int = 256,
) -> Iterator[SearchedQuestions]:
    """Yield the dataset's questions, ready to search; the index is rolled back afterwards.

    The block runs in the tenant's scope. Call it outside any scope.

    Args:
        questions: Further questions by id, which are not judged.
        chunk_size: Maximum number of tokens per chunk.

    Raises:
        EmbeddingError: If the embedder is unavailable.
    """
    collection = Collection(
        name="Evaluation",
        slug=f"evaluation-{uuid7().hex}",
        embedding_model=embedding_model,
        chunk_size=chunk_size,
    )
    embedder = get_embedder(embedding_model)
    collection.dimensions = embedder.dimensions
    cuts = [_ChunkedPassage(passage, _chunk_passage(passage, collection)) for passage in dataset.passages]
    texts = [f"{cut.passage.title} {piece.context}\n{piece.text}" for cut in cuts for piece in cut.pieces]
    vectors = embedder.embed(texts)
    queries = {**dataset.queries, **(questions or {})}
    searched = SearchedQuestions(collection, queries, embed_queries(queries, collection))
    # The dataset must not become searchable for the tenant, so the transaction is rolled back.
    with tenant_scope(tenant_id, actor=ACTOR), transaction.atomic():
        _index_passages(collection, cuts, vectors)
        yield searched
        transaction.set_rollback(True)


def evaluate_dataset(
    tenant_id: UUID, dataset: Dataset, *, embedding_model: str, strategies: Sequence[str]
) -> list[StrategyScore]:
    """Evaluate search on a dataset indexed in a transaction that is rolled back.

    Call it outside any scope.

    Raises:
        EmbeddingError: If the embedder is unavailable.
    """
    with index_dataset(tenant_id, dataset, embedding_model=embedding_model) as searched:
        return searched.score_strategies(dataset.judgements, strategies)


def evaluate_collection(
    tenant_id: UUID,
    collection: Collection,
    judged: Mapping[str, Mapping[str, int]],
    *,
    strategies: Sequence[str],
) -> list[StrategyScore]:
    """Evaluate search on a collection; `judged` maps questions to grades by source.

    Raises:
        EmbeddingError: If the collection's embedder is unavailable.
    """
    queries = {question: question for question in judged}
    searched = SearchedQuestions(collection, queries, embed_queries(queries, collection))
    with tenant_scope(tenant_id, actor=ACTOR):
        return searched.score_strategies(judged, strategies)


def embed_queries(queries: Mapping[str, str], collection: Collection) -> dict[str, dict[str, str]]:
    """Return the vectors of the questions by ID and embedding model.

    Raises:
        EmbeddingError: If the collection's embedder is unavailable.
    """
    return {
        identifier: embed_search_query(text, [collection], strategy=RetrievalStrategy.HYBRID)
        for identifier, text in queries.items()
    }


def _chunk_passage(passage: DatasetPassage, collection: Collection) -> list[ChunkText]:
    parsed = parse_bytes(f"# {passage.title}\n\n{passage.text}\n".encode(), "passage.md")
    return list(chunk_document(parsed, size=collection.chunk_size, overlap=collection.chunk_overlap))


def _index_passages(
    collection: Collection, cuts: list[_ChunkedPassage], vectors: Sequence[Sequence[float]]
) -> None:
    collection.chunk_count = len(vectors)
    collection.save()
    documents = [
        Document(
            id=uuid7(),
            collection_id=collection.pk,
            title=cut.passage.title[:500],
            filename="passage.md",
            source=cut.passage.id[:1024],
            status=DocumentStatus.INDEXED,
            tenant_id=collection.tenant_id,
        )
        for cut in cuts
    ]
    Document.objects.bulk_create(documents, batch_size=500)
    chunks = [
        Chunk(
            id=uuid7(),
            collection_id=collection.pk,
            document_id=document.pk,
            chunk_index=piece.index,
            content=piece.text,
            context=join_context(cut.passage.title, piece.context),
            start=piece.start,
            end=piece.end,
            token_count=piece.tokens,
            embedding_model=collection.embedding_model,
            language=piece.language,
        )
        for document, cut in zip(documents, cuts, strict=True)
        for piece in cut.pieces
    ]
    store_chunks(chunks, vectors, dimensions=collection.dimensions)
    collection.refresh_from_db(fields=["languages"])


def _rank_sources(found: Sequence[FoundPassage]) -> list[str]:
    """Return the document sources in the order of their best chunks."""
    return list(dict.fromkeys(passage.source for passage in found))


def build_report(scores: Sequence[StrategyScore]) -> list[dict[str, Any]]:
    """Return the scores in the stored JSON format."""
    return [
        {
            "embedding_model": score.embedding_model,
            "strategy": score.strategy,
            "ndcg_at_10": round(score.metrics.ndcg, 4),
            "recall_at_10": round(score.metrics.recall, 4),
            "mrr": round(score.metrics.mrr, 4),
            "questions": score.metrics.questions,
        }
        for score in scores
    ]


class JudgementError(ValueError):
    """The judgements are malformed; the message describes the expected format."""


MAX_QUESTIONS = 1000
FORMAT_HELP = "Each question must map document sources to integer grades from 0 to 10."


def check_judgements(judged: Any) -> dict[str, dict[str, int]]:
    """Validate and return judgements of the form {question: {source: grade}}.

    Raises:
        JudgementError: If they are malformed or too many.
    """
    if not isinstance(judged, dict) or not 0 < len(judged) <= MAX_QUESTIONS:
        raise JudgementError(f"{FORMAT_HELP} Provide 1 to {MAX_QUESTIONS} questions.")
    for question, grades in judged.items():
        if not question.strip() or not isinstance(grades, dict) or not 0 < len(grades) <= MAX_GRADES:
            raise JudgementError(f"{FORMAT_HELP} Provide 1 to {MAX_GRADES} documents per question.")
        if not are_grades(grades.values()):
            raise JudgementError(FORMAT_HELP)
    return judged


@transaction.atomic
def request_evaluation(**fields: Any) -> RagEvaluation:
    """Create an evaluation and queue its job in the current transaction."""
    evaluation = RagEvaluation(**fields)
    evaluation.full_clean(exclude=["tenant"])
    evaluation.save()
    job = app.configure_task("agents.tasks.evaluate_collection")
    job.defer(tenant_id=str(evaluation.tenant_id), evaluation_id=str(evaluation.pk))
    return evaluation
