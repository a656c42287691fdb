"""API routes of knowledge."""

from config.api.routers import ApiRouter

from . import (
    analytics,
    collections,
    connectors,
    documents,
    evaluation,
    evaluation_report,
    judged_questions,
    learning,
    search,
    terminology,
    views,
)


def register(router: ApiRouter) -> None:
    """Register the resources of this app."""
    router.single("search", search.SearchView, "search")
    router.single("search/analytics", analytics.SearchAnalyticsView, "search-analytics")
    router.register("collections", collections.CollectionViewSet, basename="collection")
    router.register("documents", documents.DocumentViewSet, basename="document")
    router.single("collections/import", collections.ImportView, "collection-import")
    router.single("collections/<name:collection_id>/export", collections.ExportView, "collection-export")
    router.single("collections/<name:collection_id>/documents", documents.UploadView, "collection-documents")
    router.single(
        "collections/<name:collection_id>/evaluation-report",
        evaluation_report.EvaluationReportView,
        "collection-evaluation-report",
    )
    router.register("connectors", connectors.ConnectorViewSet, basename="connector")
    router.register("chunks", views.ChunkViewSet, basename="chunk")
    router.register("rag-queries", views.RagQueryViewSet, basename="rag-query")
    router.register("embeddings", learning.EmbeddingViewSet, basename="embedding")
    router.register("terms", terminology.TermViewSet, basename="term")
    router.register("learning-patterns", learning.LearningPatternViewSet, basename="learning-pattern")
    router.register("rag-evaluations", evaluation.RagEvaluationViewSet, basename="rag-evaluation")
    router.register("judged-questions", judged_questions.JudgedQuestionViewSet, basename="judged-question")
