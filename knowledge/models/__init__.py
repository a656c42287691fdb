"""Models of knowledge."""

from .collections import Chunk, ChunkVector384, Collection, Document
from .queries import RagQuery

__all__ = ["Chunk", "ChunkVector384", "Collection", "Document", "RagQuery"]
