"""Texts with vectors for semantic search outside collections."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from pgvector.django import HalfVectorField, HnswIndex

from config.db.constraints import SYSTEM_CLAUSE, TENANT_CLAUSE
from config.tenancy.models import TenantModel

# OFFSET 0 makes PostgreSQL look up the source of each row instead of reading all visible tasks and events first.
SOURCES = ("workflows_task", "workflows_calendarevent")
VISIBLE = " OR ".join(f"EXISTS (SELECT FROM {table} WHERE id = source_id OFFSET 0)" for table in SOURCES)


class Embedding(TenantModel):
    """A text and its vector with 384 dimensions.

    The text of a task or event is visible to those who see the task or event, other texts to the whole tenant.
    """

    scope_kind = "user"
    row_security = {"read": f"{TENANT_CLAUSE} AND (source_id IS NULL OR {SYSTEM_CLAUSE} OR {VISIBLE})"}

    DIMENSIONS = 384
    audit_omit = ("embedding",)

    content = models.TextField(help_text="The text.")
    embedding = HalfVectorField(dimensions=DIMENSIONS, editable=False, help_text="The vector.")
    embedding_model = models.CharField(
        max_length=100, default="lexical-hash-384", help_text="Model that computed it."
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data, such as the origin.")
    source_id = models.UUIDField(
        null=True, editable=False, help_text="Task or event that the text comes from, if any."
    )

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
