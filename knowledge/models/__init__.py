"""Models of knowledge."""

from .collections import Chunk, ChunkVectorDraft, Collection, Document
from .connectors import Connector
from .embeddings import Embedding
from .evaluations import JudgedQuestion, RagEvaluation
from .learning import LearningPattern
from .queries import RagQuery
from .terminology import Term, TermEmbedding, TermRelation
from .vectors import (
    VECTOR_MODELS,
    ChunkVector,
    ChunkVector384,
    ChunkVector768,
    ChunkVector1024,
    ChunkVector1536,
    vector_model,
)

__all__ = [
    "VECTOR_MODELS",
    "Chunk",
    "ChunkVector",
    "ChunkVector384",
    "ChunkVector768",
    "ChunkVector1024",
    "ChunkVector1536",
    "ChunkVectorDraft",
    "Collection",
    "Connector",
    "Document",
    "Embedding",
    "JudgedQuestion",
    "LearningPattern",
    "RagEvaluation",
    "RagQuery",
    "Term",
    "TermEmbedding",
    "TermRelation",
    "vector_model",
]
