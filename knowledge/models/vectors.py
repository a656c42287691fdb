"""Vectors of chunks: one narrow table per dimension, separate from the text so that exact search reads few pages.

Small tenants share the default partition and are compared exactly; `knowledge.services.vectors` gives each large
tenant a separate partition with an HNSW index.
"""

from django.db import models
from pgvector.django import HalfVectorField

from config.db.constraints import SameTenant
from config.db.partitions import PartitionedByTenantMixin
from config.tenancy.models import TenantForeignKey, TenantModel


class ChunkVector(PartitionedByTenantMixin, TenantModel):
    """Base of the vector tables; `id` is the chunk's."""

    audit_exempt = "derived from chunks, which are audited"

    created_at = None
    updated_at = None
    id = models.UUIDField(primary_key=True, editable=False, help_text="ID of the chunk.")
    # The chunk's key includes the tenant; a key to the tenants would make a promotion lock their table.
    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        editable=False,
        db_index=False,
        help_text="Tenant that owns the row.",
    )
    collection = TenantForeignKey(
        "knowledge.Collection",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="+",
        help_text="Collection of the chunk.",
    )

    class Meta(TenantModel.Meta):
        abstract = True
        indexes = [models.Index(fields=["tenant", "collection"], name="knowledge_%(class)s_coll")]
        constraints = [
            SameTenant(
                field="id",
                name="knowledge_%(class)s_chunk",
                target="knowledge.Chunk",
                column="id",
                on_delete="CASCADE",
            )
        ]


class ChunkVector384(ChunkVector):
    """The vector of one chunk with 384 dimensions, as in MiniLM and the lexical embedder."""

    embedding = HalfVectorField(dimensions=384, help_text="The vector.")

    def __str__(self) -> str:
        return f"vector of chunk {self.pk}"


class ChunkVector768(ChunkVector):
    """The vector of one chunk with 768 dimensions, as in many open models."""

    embedding = HalfVectorField(dimensions=768, help_text="The vector.")

    def __str__(self) -> str:
        return f"vector of chunk {self.pk}"


class ChunkVector1024(ChunkVector):
    """The vector of one chunk with 1,024 dimensions, as in many multilingual models."""

    embedding = HalfVectorField(dimensions=1024, help_text="The vector.")

    def __str__(self) -> str:
        return f"vector of chunk {self.pk}"


class ChunkVector1536(ChunkVector):
    """The vector of one chunk with 1,536 dimensions, as in OpenAI's small model."""

    embedding = HalfVectorField(dimensions=1536, help_text="The vector.")

    def __str__(self) -> str:
        return f"vector of chunk {self.pk}"


VECTOR_MODELS: dict[int, type[ChunkVector]] = {
    384: ChunkVector384,
    768: ChunkVector768,
    1024: ChunkVector1024,
    1536: ChunkVector1536,
}


def vector_model(dimensions: int) -> type[ChunkVector]:
    """Return the vector table for `dimensions`.

    Raises:
        ValueError: No table exists for this number.
    """
    try:
        return VECTOR_MODELS[dimensions]
    except KeyError:
        known = ", ".join(map(str, VECTOR_MODELS))
        raise ValueError(f"no vector table has {dimensions} dimensions, only {known}") from None
