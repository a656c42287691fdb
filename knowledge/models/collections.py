"""Collections, documents and the chunks that search returns."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from pgvector.django import HalfVectorField

from config.db.constraints import SameTenant, choices_constraint, unique_per_tenant
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from knowledge.choices import CollectionStatus, DocumentOrigin, DocumentStatus
from knowledge.fields import LanguageField
from knowledge.schemas import SchemaValidator


class Collection(TenantModel):
    """A set of documents for agents, with one embedding model and chunk size."""

    audit_omit = ("document_count", "chunk_count", "languages", "question_progress", "question_error")

    name = models.CharField(max_length=255, help_text="Name of the collection.")
    slug = models.SlugField(max_length=100, help_text="Name in the API and on the command line.")
    description = models.TextField(blank=True, default="", help_text="Description of the contents.")
    embedding_model = models.CharField(
        max_length=100, default="lexical-hash-384", help_text="Embedding model of the chunks."
    )
    next_embedding_model = models.CharField(
        max_length=100,
        blank=True,
        default="",
        editable=False,
        help_text="Embedding model of a change in progress. Search uses the current one until it completes.",
    )
    dimensions = models.PositiveIntegerField(default=384, editable=False, help_text="Vector dimensions.")
    language = LanguageField(
        help_text="Language of all documents, as ISO 639-1 code. Empty: detected for each document."
    )
    languages = ArrayField(
        models.CharField(max_length=8),
        default=list,
        db_default=[],
        editable=False,
        help_text="Languages of the chunks. Search analyses questions in each of them.",
    )
    chunk_size = models.PositiveIntegerField(default=256, help_text="Maximum number of tokens per chunk.")
    chunk_overlap = models.PositiveIntegerField(default=32, help_text="Tokens shared by adjacent chunks.")
    document_count = models.PositiveIntegerField(
        default=0, editable=False, help_text="Number of documents with chunks."
    )
    chunk_count = models.PositiveIntegerField(default=0, editable=False, help_text="Number of chunks.")
    status = models.CharField(
        max_length=50,
        choices=CollectionStatus,
        default=CollectionStatus.ACTIVE,
        help_text="Whether the collection is in use.",
    )
    question_progress = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="Progress of generating judged questions in percent. Empty: none requested.",
    )
    question_error = models.TextField(
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Error of the latest generation of judged questions.",
    )
    is_sensitive = models.BooleanField(
        default=False, help_text="Whether the audit log records each search that returns its passages."
    )
    settings = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("CollectionSettings")],
        help_text="Search settings, such as `recall`.",
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="knowledge_collection_status"),
            GinIndex(fields=["metadata"], name="knowledge_collection_metadata"),
        ]
        constraints = [
            unique_per_tenant("slug", suffix="slug", message="A collection with this slug already exists."),
            models.CheckConstraint(
                condition=models.Q(chunk_size__gt=0), name="knowledge_collection_chunk_size"
            ),
            models.CheckConstraint(
                condition=models.Q(chunk_overlap__lt=models.F("chunk_size")),
                name="knowledge_collection_overlap_below_size",
                violation_error_message="The overlap must be smaller than the chunk size.",
            ),
            choices_constraint("status", CollectionStatus.values),
        ]

    def __str__(self) -> str:
        return self.name


class Document(TenantModel):
    """A file indexed in a collection, or the reason why indexing failed."""

    audit_omit = ("chunk_count", "progress", "source_version")

    collection = TenantForeignKey(
        Collection, models.CASCADE, related_name="documents", help_text="Collection of the document."
    )
    title = models.CharField(max_length=500, blank=True, default="", help_text="Title of the document.")
    filename = models.CharField(max_length=500, help_text="Name of the file.")
    source = models.CharField(
        max_length=1024, help_text="Path in the ingested folder, file name or URL. Unique per collection."
    )
    origin = models.CharField(
        max_length=50,
        choices=DocumentOrigin,
        default=DocumentOrigin.FOLDER,
        editable=False,
        help_text="How the document was added.",
    )
    file_type = models.CharField(max_length=100, blank=True, default="", help_text="Media type.")
    file_size = models.PositiveBigIntegerField(default=0, help_text="File size in bytes.")
    language = LanguageField(editable=False, help_text="Main language as ISO 639-1 code. Empty: unknown.")
    checksum = models.CharField(
        max_length=64, blank=True, default="", help_text="SHA-256 of the latest uploaded file."
    )
    indexed_checksum = models.CharField(
        max_length=64,
        blank=True,
        default="",
        editable=False,
        help_text="SHA-256 of the file that the chunks come from. Empty: no chunks.",
    )
    storage_path = models.CharField(
        max_length=1024, blank=True, default="", help_text="Path of the stored file, if stored."
    )
    status = models.CharField(
        max_length=50, choices=DocumentStatus, default=DocumentStatus.PENDING, help_text="Indexing status."
    )
    progress = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Indexing progress in percent."
    )
    chunk_count = models.PositiveIntegerField(default=0, editable=False, help_text="Number of chunks.")
    error_message = models.TextField(blank=True, default="", help_text="Error message.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Author, language and other data.")
    connector = TenantForeignKey(
        "knowledge.Connector",
        models.SET_NULL,
        related_name="documents",
        editable=False,
        help_text="Connector that keeps the document up to date, if any.",
    )
    source_version = models.CharField(
        max_length=1000,
        blank=True,
        default="",
        editable=False,
        help_text="Version at the connector's source, such as an entity tag or a Git blob hash.",
    )
    uploaded_by = MemberForeignKey(help_text="User who uploaded it.", editable=False)
    uploaded_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the document was uploaded."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="knowledge_document_status"),
            models.Index(fields=["tenant", "-uploaded_at"], name="knowledge_document_uploaded"),
            GinIndex(fields=["metadata"], name="knowledge_document_metadata"),
        ]
        constraints = [
            unique_per_tenant(
                "collection",
                "source",
                suffix="source",
                message="The collection already has a document with this source.",
            ),
            choices_constraint("status", DocumentStatus.values),
            choices_constraint("origin", DocumentOrigin.values),
            models.CheckConstraint(
                condition=models.Q(progress__lte=100), name="knowledge_document_progress_percent"
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.filename

    def is_current(self, collection: Collection) -> bool:
        """Return whether the chunks match the latest file and the collection's model."""
        if not self.indexed_checksum or self.indexed_checksum != self.checksum:
            return False
        chunks = Chunk.objects.filter(document_id=self.pk)
        return not chunks.exclude(embedding_model=collection.embedding_model).exists()


class Chunk(TenantModel):
    """A passage of a document, which search returns and answers cite."""

    audit_level = "statement"
    audit_omit = ("content", "search", "semantic_summary", "semantic_keywords", "extracted_entities")

    updated_at = None
    collection = TenantForeignKey(
        Collection, models.DO_NOTHING, db_rule="CASCADE", related_name="chunks", help_text="Collection."
    )
    document = TenantForeignKey(
        Document,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="chunks",
        help_text="Document of the chunk.",
    )
    chunk_index = models.PositiveIntegerField(help_text="Position in the document, starting at 0.")
    content = models.TextField(help_text="The text.")
    context = models.CharField(max_length=500, blank=True, default="", help_text="Headings above it.")
    page = models.PositiveIntegerField(null=True, blank=True, help_text="Page where it starts.")
    start = models.PositiveIntegerField(default=0, help_text="Offset of its first character in the document.")
    end = models.PositiveIntegerField(default=0, help_text="Offset after its last character.")
    token_count = models.PositiveIntegerField(default=0, help_text="Estimated number of tokens.")
    embedding_model = models.CharField(max_length=100, blank=True, default="", help_text="Embedding model.")
    language = LanguageField(
        help_text="Language by which words are stemmed, as ISO 639-1 code. Empty: unknown."
    )
    semantic_keywords = models.JSONField(null=True, blank=True, help_text="Extracted keywords.")
    semantic_category = models.CharField(max_length=255, blank=True, default="", help_text="Category.")
    semantic_summary = models.TextField(blank=True, default="", help_text="Summary.")
    extracted_entities = models.JSONField(null=True, blank=True, help_text="Named entities found.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")
    search = models.GeneratedField(
        expression=models.Func("language", "context", "content", function="knowledge_search_vector"),
        output_field=SearchVectorField(),
        db_persist=True,
        editable=False,
        help_text="Full-text search vector.",
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
    """A chunk's vector for its collection's next embedding model; not searched. `id` is the chunk's."""

    audit_exempt = "derived from chunks, which are audited"

    created_at = None
    updated_at = None
    id = models.UUIDField(primary_key=True, editable=False, help_text="ID of the chunk.")
    collection = TenantForeignKey(
        Collection,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="+",
        help_text="Collection of the chunk.",
    )
    embedding_model = models.CharField(max_length=100, help_text="Embedding model of the vector.")
    embedding = HalfVectorField(help_text="Vector, as long as the model's dimensions.")

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
