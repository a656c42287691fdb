"""Search evaluation with judged questions, on a dataset or a collection."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django import app

from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from knowledge.choices import DocumentStatus, EvaluationStatus, RetrievalStrategy
from knowledge.chunking import ChunkText, chunk_document
from knowledge.embedders import EmbeddingError, get_embedder
from knowledge.evaluation.datasets import Dataset, DatasetPassage
from knowledge.evaluation.metrics import RankingMetrics, compute_metrics
from knowledge.models import Chunk, Collection, Document, RagEvaluation
from knowledge.parsing import parse_bytes
from knowledge.services.chunk_storage import store_chunks
from knowledge.services.chunks import join_context
from knowledge.services.search import FoundPassage, embed_search_query, search

# Chunks retrieved per question; a document takes the rank of its best chunk.
MAX_CHUNKS_PER_QUERY = 50
ACTOR = "system:evaluation"


@dataclass(frozen=True, slots=True)
class StrategyScore:
    """Metrics of one strategy with one embedding model."""

    embedding_model: str
    strategy: str
    metrics: RankingMetrics


@dataclass(frozen=True, slots=True)
class _ChunkedPassage:
    """A dataset passage and its chunks."""

    passage: DatasetPassage
    pieces: list[ChunkText]


def evaluate_dataset(
    tenant_id: UUID, dataset: Dataset, *, embedding_model: str, strategies: Sequence[str]
) -> list[StrategyScore]:
    """Evaluate search on a dataset indexed in a transaction that is rolled back.

    Call it outside any scope.

    Raises:
        EmbeddingError: If the embedder is unavailable.
    """
    collection = Collection(
        name="Evaluation", slug=f"evaluation-{uuid7().hex}", embedding_model=embedding_model
    )
    embedder = get_embedder(embedding_model)
    collection.dimensions = embedder.dimensions
    cuts = [_ChunkedPassage(passage, _chunk_passage(passage, collection)) for passage in dataset.passages]
    texts = [f"{cut.passage.title} {piece.context}\n{piece.text}" for cut in cuts for piece in cut.pieces]
    vectors = embedder.embed(texts)
    asked = _embed_queries(dataset.queries, [collection])
    # The dataset must not become searchable for the tenant, so the transaction is rolled back.
    with tenant_scope(tenant_id, actor=ACTOR), transaction.atomic():
        _index_passages(collection, cuts, vectors)
        scores = list(_iter_scores([collection], dataset.queries, dataset.judgements, asked, strategies))
        transaction.set_rollback(True)
    return scores


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
    vectors = _embed_queries(queries, [collection])
    with tenant_scope(tenant_id, actor=ACTOR):
        return list(_iter_scores([collection], queries, judged, vectors, strategies))


def _embed_queries(queries: Mapping[str, str], collections: list[Collection]) -> dict[str, dict[str, str]]:
    return {
        identifier: embed_search_query(text, collections, strategy=RetrievalStrategy.HYBRID)
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
            embedding_model=collection.embedding_model,
            language=piece.language,
        )
        for document, cut in zip(documents, cuts, strict=True)
        for piece in cut.pieces
    ]
    store_chunks(chunks, vectors, dimensions=collection.dimensions)
    collection.refresh_from_db(fields=["languages"])


def _iter_scores(
    collections: list[Collection],
    queries: Mapping[str, str],
    judgements: Mapping[str, Mapping[str, int]],
    vectors: Mapping[str, Mapping[str, str]],
    strategies: Sequence[str],
) -> Iterator[StrategyScore]:
    for strategy in strategies:
        rankings = {
            identifier: _rank_sources(
                search(
                    queries[identifier],
                    collections,
                    limit=MAX_CHUNKS_PER_QUERY,
                    strategy=strategy,
                    vectors=vectors[identifier],
                )
            )
            for identifier in judgements
        }
        yield StrategyScore(collections[0].embedding_model, strategy, compute_metrics(rankings, judgements))


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


MAX_QUESTIONS, MAX_GRADES, MAX_GRADE = 1000, 100, 10
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
        if any(type(grade) is not int or not 0 <= grade <= MAX_GRADE for grade in grades.values()):
            raise JudgementError(FORMAT_HELP)
    return judged


@transaction.atomic
def request_evaluation(**fields: Any) -> RagEvaluation:
    """Create an evaluation and queue its job in the current transaction."""
    evaluation = RagEvaluation(**fields)
    evaluation.full_clean(exclude=["tenant"])
    evaluation.save()
    job = app.configure_task("knowledge.tasks.evaluate_search")
    job.defer(tenant_id=str(evaluation.tenant_id), evaluation_id=str(evaluation.pk))
    return evaluation


def run_evaluation(tenant_id: UUID, evaluation_id: UUID) -> None:
    """Run a pending evaluation and store its metrics or error. Call it outside any scope."""
    with tenant_scope(tenant_id, actor=ACTOR):
        found = RagEvaluation.objects.select_related("collection").filter(
            pk=evaluation_id, status=EvaluationStatus.PENDING
        )
        evaluation = found.first()
    if evaluation is None:
        return
    try:
        scores = evaluate_collection(
            tenant_id, evaluation.collection, evaluation.judgements, strategies=RetrievalStrategy.values
        )
        changes = {"status": EvaluationStatus.COMPLETED, "results": build_report(scores)}
    except EmbeddingError as error:
        changes = {"status": EvaluationStatus.FAILED, "error_message": str(error)}
    with tenant_scope(tenant_id, actor=ACTOR):
        RagEvaluation.objects.filter(pk=evaluation_id).update(completed_at=timezone.now(), **changes)
