"""Console pages of knowledge."""

from .collections import ChunkAdmin, ChunkVector384Admin, CollectionAdmin, DocumentAdmin
from .queries import RagQueryAdmin

__all__ = ["ChunkAdmin", "ChunkVector384Admin", "CollectionAdmin", "DocumentAdmin", "RagQueryAdmin"]
