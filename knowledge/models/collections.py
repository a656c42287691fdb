"""What is known: collections of documents, cut into chunks that search finds."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from pgvector.django import HalfVectorField

from config.db.constraints import SameTenant
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from knowledge.choices import CollectionStatus, DocumentOrigin, DocumentStatus


class Collection(TenantModel):
    """A set of documents that agents may answer from, with one embedding model and chunk size."""

    audit_omit = ("document_count", "chunk_count")

    name = models.CharField(max_length=255, help_text="Name of the collection.")
    slug = models.SlugField(max_length=100, help_text="Name in the API and on the command line.")
    description = models.TextField(blank=True, default="", help_text="What it holds.")
    embedding_model = models.CharField(
        max_length=100, default="lexical-hash-384", help_text="Embedder of all its chunks."
    )
    next_embedding_model = models.CharField(
        max_length=100,
        blank=True,
        default="",
        editable=False,
        help_text="Embedder that its chunks are being embedded with anew; the other one serves until all are.",
    )
    dimensions = models.PositiveIntegerField(default=384, editable=False, help_text="Length of its vectors.")
    chunk_size = models.PositiveIntegerField(default=256, help_text="Tokens in a chunk, at most.")
    chunk_overlap = models.PositiveIntegerField(default=32, help_text="Tokens shared by neighbouring chunks.")
    document_count = models.PositiveIntegerField(
        default=0, editable=False, help_text="Documents with chunks."
    )
    chunk_count = models.PositiveIntegerField(default=0, editable=False, help_text="Chunks of them.")
    status = models.CharField(
        max_length=50,
        choices=CollectionStatus,
        default=CollectionStatus.ACTIVE,
        help_text="Whether it is in use.",
    )
    settings = models.JSONField(default=dict, blank=True, help_text="Search settings, such as `recall`.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="knowledge_collection_status"),
            GinIndex(fields=["metadata"], name="knowledge_collection_metadata"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "slug"],
                name="knowledge_collection_slug",
                violation_error_message="A collection with this slug exists already.",
            ),
            models.CheckConstraint(
                condition=models.Q(chunk_size__gt=0), name="knowledge_collection_chunk_size"
            ),
            models.CheckConstraint(
                condition=models.Q(chunk_overlap__lt=models.F("chunk_size")),
                name="knowledge_collection_overlap_below_size",
                violation_error_message="The overlap must be smaller than the chunk.",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=CollectionStatus.values),
                name="knowledge_collection_status_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Document(TenantModel):
    """A file that was read into a collection, or could not be, with the reason."""

    audit_omit = ("chunk_count", "progress")

    collection = TenantForeignKey(
        Collection, models.CASCADE, related_name="documents", help_text="Where it belongs."
    )
    title = models.CharField(max_length=500, blank=True, default="", help_text="Its title, read or given.")
    filename = models.CharField(max_length=500, help_text="Name of the file.")
    source = models.CharField(
        max_length=1024, help_text="Path inside the folder it was read from, name or URL; its identity."
    )
    origin = models.CharField(
        max_length=50,
        choices=DocumentOrigin,
        default=DocumentOrigin.FOLDER,
        editable=False,
        help_text="How it came in.",
    )
    file_type = models.CharField(max_length=100, blank=True, default="", help_text="Media type.")
    file_size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    checksum = models.CharField(
        max_length=64, blank=True, default="", help_text="SHA-256 of the file that was brought last."
    )
    indexed_checksum = models.CharField(
        max_length=64,
        blank=True,
        default="",
        editable=False,
        help_text="SHA-256 of the file that its chunks were cut from; empty: it has none.",
    )
    storage_path = models.CharField(
        max_length=1024, blank=True, default="", help_text="Where the file is kept; empty: not kept."
    )
    status = models.CharField(
        max_length=50, choices=DocumentStatus, default=DocumentStatus.PENDING, help_text="How far it is."
    )
    progress = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Percent of the work that is done."
    )
    chunk_count = models.PositiveIntegerField(default=0, editable=False, help_text="Chunks made of it.")
    error_message = models.TextField(blank=True, default="", help_text="Why it could not be read.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Author, language and the like.")
    uploaded_by = MemberForeignKey(help_text="Who brought it.", editable=False)
    uploaded_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it was brought."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="knowledge_document_status"),
            GinIndex(fields=["metadata"], name="knowledge_document_metadata"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "collection", "source"],
                name="knowledge_document_source",
                violation_error_message="The collection has a document of this source already.",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=DocumentStatus.values), name="knowledge_document_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(origin__in=DocumentOrigin.values), name="knowledge_document_origin_known"
            ),
            models.CheckConstraint(
                condition=models.Q(progress__lte=100), name="knowledge_document_progress_percent"
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.filename


class Chunk(TenantModel):
    """A passage of a document: what search finds and answers cite."""

    audit_level = "statement"
    audit_omit = ("content", "search", "semantic_summary", "semantic_keywords", "extracted_entities")

    updated_at = None
    collection = TenantForeignKey(
        Collection, models.DO_NOTHING, db_rule="CASCADE", related_name="chunks", help_text="Where it belongs."
    )
    document = TenantForeignKey(
        Document,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="chunks",
        help_text="What it was cut from.",
    )
    chunk_index = models.PositiveIntegerField(help_text="Place in the document, from 0.")
    content = models.TextField(help_text="The text.")
    context = models.CharField(max_length=500, blank=True, default="", help_text="Headings above it.")
    page = models.PositiveIntegerField(null=True, blank=True, help_text="Page it begins on.")
    start = models.PositiveIntegerField(default=0, help_text="First character in the document's text.")
    end = models.PositiveIntegerField(default=0, help_text="Character after its last.")
    token_count = models.PositiveIntegerField(default=0, help_text="Estimated tokens.")
    embedding_model = models.CharField(max_length=100, blank=True, default="", help_text="Embedder used.")
    semantic_keywords = models.JSONField(null=True, blank=True, help_text="Keywords found.")
    semantic_category = models.CharField(max_length=255, blank=True, default="", help_text="Category found.")
    semantic_summary = models.TextField(blank=True, default="", help_text="Summary.")
    extracted_entities = models.JSONField(null=True, blank=True, help_text="Named entities found.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")
    search = models.GeneratedField(
        expression=SearchVector("context", weight="A", config="english")
        + SearchVector("content", weight="B", config="english"),
        output_field=SearchVectorField(),
        db_persist=True,
        editable=False,
        help_text="What full-text search reads.",
    )

    class Meta(TenantModel.Meta):
        indexes = [
            GinIndex(fields=["search"], name="knowledge_chunk_search"),
            GinIndex(fields=["metadata"], name="knowledge_chunk_metadata"),
            models.Index(fields=["tenant", "collection"], name="knowledge_chunk_collection"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "document", "chunk_index"], name="knowledge_chunk_index_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.document} #{self.chunk_index}"


class ChunkVectorDraft(TenantModel):
    """The vector of a chunk by the model that its collection is changing to; no search sees it. `id` is the chunk's."""

    audit_exempt = "derived from chunks, which are audited"

    created_at = None
    updated_at = None
    id = models.UUIDField(primary_key=True, editable=False, help_text="The chunk's id.")
    collection = TenantForeignKey(
        Collection,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="+",
        help_text="The chunk's collection.",
    )
    embedding_model = models.CharField(max_length=100, help_text="Embedder that made it.")
    embedding = HalfVectorField(help_text="The vector, of that model's length.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "collection"], name="knowledge_draft_collection")]
        constraints = [
            SameTenant(
                field="id",
                name="knowledge_draft_chunk",
                target="knowledge.Chunk",
                column="id",
                on_delete="CASCADE",
            )
        ]

    def __str__(self) -> str:
        return f"next vector of chunk {self.pk}"
