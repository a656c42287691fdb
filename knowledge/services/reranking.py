"""Reranking of the passages of a search."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.module_loading import import_string

from knowledge.models import Collection
from knowledge.rerankers import (
    Reranker,
    RerankError,
    RerankPauseError,
    check_scores,
    get_endpoint_reranker,
)

if TYPE_CHECKING:
    from knowledge.services.search import FoundPassage

SETTING = "reranker"
logger = logging.getLogger(__name__)


def get_reranker(collections: "Sequence[Collection]") -> Reranker | None:
    """Return the configured reranker; None if all collections have the setting `reranker` false."""
    if all(collection.settings.get(SETTING) is False for collection in collections):
        return None
    return import_string(settings.SEARCH_RERANKER) if settings.SEARCH_RERANKER else get_endpoint_reranker()


def rerank_passages(
    query: str, passages: "Sequence[FoundPassage]", reranker: Reranker
) -> "list[FoundPassage]":
    """Sort the passages by the reranker's scores without changing their own scores.

    If the reranker fails, the passages keep their order and their explanation says why.
    """
    if not passages:
        return []
    try:
        scores = check_scores(reranker(query, [passage.text for passage in passages]), len(passages))
    except Exception as error:  # noqa: BLE001 (the search works without it)
        problem = _describe_failure(error)
        return [explain_passage(passage, rerank_error=problem) for passage in passages]
    explained = [
        explain_passage(passage, rerank_score=score) for passage, score in zip(passages, scores, strict=True)
    ]
    return sorted(explained, key=lambda passage: -(passage.explanation.rerank_score or 0.0))


def _describe_failure(error: Exception) -> str:
    """Log the failure and return its description for users."""
    if not isinstance(error, RerankError):
        logger.error("reranking failed", exc_info=error)
        return "the reranker failed"
    if not isinstance(error, RerankPauseError):
        logger.warning("reranking failed: %s", error)
    return str(error)


def explain_passage(passage: "FoundPassage", **explanation: Any) -> "FoundPassage":
    """Return the passage with additions to its explanation."""
    return replace(passage, explanation=replace(passage.explanation, **explanation))
