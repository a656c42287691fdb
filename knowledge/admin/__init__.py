"""Admin of knowledge."""

from .collections import ChunkAdmin, ChunkVectorDraftAdmin, CollectionAdmin, DocumentAdmin
from .connectors import ConnectorAdmin
from .evaluations import RagEvaluationAdmin
from .judged_questions import JudgedQuestionAdmin
from .learning import EmbeddingAdmin, LearningPatternAdmin
from .queries import RagQueryAdmin
from .terminology import TermAdmin, TermEmbeddingAdmin, TermRelationAdmin
from .vectors import ChunkVectorAdmin

__all__ = [
    "ChunkAdmin",
    "ChunkVectorAdmin",
    "ChunkVectorDraftAdmin",
    "CollectionAdmin",
    "ConnectorAdmin",
    "DocumentAdmin",
    "EmbeddingAdmin",
    "JudgedQuestionAdmin",
    "LearningPatternAdmin",
    "RagEvaluationAdmin",
    "RagQueryAdmin",
    "TermAdmin",
    "TermEmbeddingAdmin",
    "TermRelationAdmin",
]
