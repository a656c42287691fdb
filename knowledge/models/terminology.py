"""Terms of a user, which can be shared with the organisation."""

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now
from pgvector.django import HalfVectorField, HnswIndex

from config.db.constraints import TENANT_CLAUSE, USER_CLAUSE, choices_constraint, unique_per_tenant
from config.tenancy.models import TenantForeignKey, TenantModel, UserOwnedModel
from knowledge.choices import RelationKind, TermContext

# Policies of rows that depend on a term: access follows access to the term.
SEEN = "SELECT id FROM knowledge_term"
OWNED = f"{SEEN} WHERE {USER_CLAUSE}"


class Term(UserOwnedModel):
    """A term and its meaning; public terms are visible to the whole organisation."""

    row_security = {
        "read": f"{TENANT_CLAUSE} AND ({USER_CLAUSE} OR is_public)",
        "write": f"{TENANT_CLAUSE} AND {USER_CLAUSE}",
    }
    audit_omit = ("frequency", "last_used_at")

    term = models.CharField(max_length=500, help_text="Word or phrase.")
    definition = models.TextField(help_text="Meaning of the term.")
    context = models.CharField(
        max_length=100, choices=TermContext, blank=True, default="", help_text="Where the term is used."
    )
    usage_examples = models.JSONField(default=list, db_default=[], blank=True, help_text="Example sentences.")
    related_terms = models.ManyToManyField(
        "self",
        through="knowledge.TermRelation",
        through_fields=("term", "related"),
        symmetrical=False,
        related_name="related_by",
        help_text="Related terms.",
    )
    frequency = models.PositiveIntegerField(
        default=1, db_default=1, validators=[MinValueValidator(0)], help_text="Number of uses."
    )
    last_used_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Latest use.")
    tags = models.JSONField(default=list, db_default=[], blank=True, help_text="Tags for filtering.")
    is_public = models.BooleanField(
        default=False, db_default=False, help_text="Whether colleagues can see it."
    )

    class Meta(UserOwnedModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "user", "-id"], name="knowledge_term_user"),
            models.Index(fields=["tenant", "term"], name="knowledge_term_term"),
            models.Index(fields=["tenant", "context"], name="knowledge_term_context"),
            models.Index(fields=["tenant", "-frequency"], name="knowledge_term_frequency"),
            models.Index(fields=["tenant"], condition=models.Q(is_public=True), name="knowledge_term_public"),
            GinIndex(fields=["tags"], name="knowledge_term_tags"),
        ]
        constraints = [
            choices_constraint("context", [*TermContext.values, ""]),
            models.CheckConstraint(
                condition=~models.Q(term=""),
                name="knowledge_term_named",
                violation_error_message="The term cannot be empty.",
            ),
        ]

    def __str__(self) -> str:
        return self.term[:80]


class TermRelation(TenantModel):
    """A relation between two terms, visible to users who can see both."""

    scope_kind = "user"
    row_security = {
        "read": f"{TENANT_CLAUSE} AND term_id IN ({SEEN}) AND related_id IN ({SEEN})",
        "write": f"{TENANT_CLAUSE} AND term_id IN ({OWNED}) AND related_id IN ({SEEN})",
    }

    updated_at = None
    term = TenantForeignKey(Term, models.CASCADE, related_name="relations", help_text="The term.")
    related = TenantForeignKey(Term, models.CASCADE, related_name="+", help_text="The related term.")
    kind = models.CharField(
        max_length=50,
        choices=RelationKind,
        default=RelationKind.RELATED,
        help_text="Whether the terms are synonyms or related.",
    )

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "related"], name="knowledge_termrelation_related")]
        constraints = [
            unique_per_tenant("term", "related", message="These terms are already related."),
            models.CheckConstraint(
                condition=~models.Q(term=models.F("related")),
                name="knowledge_termrelation_other",
                violation_error_message="A term cannot be related to itself.",
            ),
            choices_constraint("kind", RelationKind.values),
        ]

    def __str__(self) -> str:
        return f"{self.term} and {self.related}"


class TermEmbedding(TenantModel):
    """The vector of a term and its definition, with 1,536 dimensions."""

    scope_kind = "user"
    row_security = {
        "read": f"{TENANT_CLAUSE} AND term_id IN ({SEEN})",
        "write": f"{TENANT_CLAUSE} AND term_id IN ({OWNED})",
    }
    audit_exempt = "derived from terms, which are audited"

    term = TenantForeignKey(Term, models.CASCADE, related_name="embeddings", help_text="The term.")
    embedding = HalfVectorField(dimensions=1536, editable=False, help_text="The vector.")
    embedding_model = models.CharField(
        max_length=100, default="text-embedding-3-small", help_text="Model that computed it."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            HnswIndex(
                fields=["embedding"], opclasses=["halfvec_cosine_ops"], name="knowledge_termembedding_cosine"
            )
        ]
        constraints = [
            unique_per_tenant(
                "term", "embedding_model", message="The term already has a vector of this model."
            )
        ]

    def __str__(self) -> str:
        return f"{self.embedding_model} of {self.term}"
