"""The vectors of chunks: one narrow table for each length, apart from the text so that exact search reads few pages.

Small tenants share the default partition and are compared exactly; `knowledge.services.vectors` gives each large one
a separate partition with an HNSW index.
"""

from django.db import models
from pgvector.django import HalfVectorField

from config.db.constraints import SameTenant
from config.db.partitions import PartitionedByTenantMixin
from config.tenancy.models import TenantForeignKey, TenantModel


class ChunkVector(PartitionedByTenantMixin, TenantModel):
    """What the tables of vectors have in common; `id` is the chunk's."""

    audit_exempt = "derived from chunks, which are audited"

    created_at = None
    updated_at = None
    id = models.UUIDField(primary_key=True, editable=False, help_text="The chunk's id.")
    # The chunk's own key holds the tenant; one to the tenants would make a promotion lock their table.
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
        help_text="The chunk's collection.",
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
    """The vector of one chunk: 384 numbers, as of MiniLM and the lexical embedder."""

    embedding = HalfVectorField(dimensions=384, help_text="The vector.")

    def __str__(self) -> str:
        return f"vector of chunk {self.pk}"


class ChunkVector768(ChunkVector):
    """The vector of one chunk: 768 numbers, as of many open models."""

    embedding = HalfVectorField(dimensions=768, help_text="The vector.")

    def __str__(self) -> str:
        return f"vector of chunk {self.pk}"


class ChunkVector1024(ChunkVector):
    """The vector of one chunk: 1,024 numbers, as of many multilingual models."""

    embedding = HalfVectorField(dimensions=1024, help_text="The vector.")

    def __str__(self) -> str:
        return f"vector of chunk {self.pk}"


class ChunkVector1536(ChunkVector):
    """The vector of one chunk: 1,536 numbers, as of OpenAI's small model."""

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
    """The table of vectors of that length.

    Raises:
        ValueError: when there is none.
    """
    try:
        return VECTOR_MODELS[dimensions]
    except KeyError:
        known = ", ".join(map(str, VECTOR_MODELS))
        raise ValueError(f"no table holds vectors of {dimensions} numbers, only of {known}") from None
