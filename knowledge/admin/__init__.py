"""Console pages of knowledge."""

from .collections import (
    ChunkAdmin,
    ChunkVector384Admin,
    ChunkVectorDraftAdmin,
    CollectionAdmin,
    DocumentAdmin,
)
from .learning import EmbeddingAdmin, LearningPatternAdmin
from .queries import RagQueryAdmin
from .terminology import TermAdmin, TermEmbeddingAdmin, TermRelationAdmin

__all__ = [
    "ChunkAdmin",
    "ChunkVector384Admin",
    "ChunkVectorDraftAdmin",
    "CollectionAdmin",
    "DocumentAdmin",
    "EmbeddingAdmin",
    "LearningPatternAdmin",
    "RagQueryAdmin",
    "TermAdmin",
    "TermEmbeddingAdmin",
    "TermRelationAdmin",
]
