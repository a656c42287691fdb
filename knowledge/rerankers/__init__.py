"""Rerankers: functions that score the passages of a search again."""

from knowledge.rerankers.base import Reranker, RerankError, RerankPauseError, check_scores
from knowledge.rerankers.endpoint import EndpointReranker, get_endpoint_reranker

__all__ = (
    "EndpointReranker",
    "RerankError",
    "RerankPauseError",
    "Reranker",
    "check_scores",
    "get_endpoint_reranker",
)
