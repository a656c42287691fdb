"""Texts with vectors for semantic search outside collections."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from pgvector.django import HalfVectorField, HnswIndex

from config.tenancy.models import TenantModel


class Embedding(TenantModel):
    """A text and its vector with 384 dimensions."""

    DIMENSIONS = 384
    audit_omit = ("embedding",)

    content = models.TextField(help_text="The text.")
    embedding = HalfVectorField(dimensions=DIMENSIONS, editable=False, help_text="The vector.")
    embedding_model = models.CharField(
        max_length=100, default="lexical-hash-384", help_text="Model that computed it."
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data, such as the origin.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="knowledge_embedding_latest"),
            GinIndex(fields=["metadata"], name="knowledge_embedding_metadata"),
            HnswIndex(
                fields=["embedding"], opclasses=["halfvec_cosine_ops"], name="knowledge_embedding_cosine"
            ),
        ]

    def __str__(self) -> str:
        return self.content[:80]
