"""Models of knowledge."""

from .collections import Chunk, ChunkVector384, ChunkVectorDraft, Collection, Document
from .embeddings import Embedding
from .learning import LearningPattern
from .queries import RagQuery
from .terminology import Term, TermEmbedding, TermRelation

__all__ = [
    "Chunk",
    "ChunkVector384",
    "ChunkVectorDraft",
    "Collection",
    "Document",
    "Embedding",
    "LearningPattern",
    "RagQuery",
    "Term",
    "TermEmbedding",
    "TermRelation",
]
