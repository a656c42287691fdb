"""Agent templates, their purchases and ratings."""

from decimal import Decimal

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator, URLValidator
from django.db import models
from django.db.models.functions import Now, Round

from agents.choices import PaymentStatus
from agents.managers import PurchaseManager, SharedManager
from config.db.constraints import TENANT_CLAUSE, USER_CLAUSE, choices_constraint, unique_per_tenant
from config.tenancy.managers import ScopedQuerySet
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel

# The platform's share of each sale, unless the system setting `marketplace.commission` changes it.
COMMISSION = Decimal("0.30")
# Fields that publish a template to other organisations, and the scope they require in addition to write access.
PUBLISHING_FIELDS = ("is_public", "is_marketplace")
PUBLISHING_SCOPE = ("tenant", "write")
# A row can refer to a template of another tenant, as long as the template is visible.
TEMPLATE_VISIBLE_SQL = "EXISTS (SELECT FROM agents_agenttemplate t WHERE t.id = template_id{more})"
MATCHES_OFFER_SQL = (
    f"({TENANT_CLAUSE} AND buyer_id = (SELECT conclave_current_user())"
    f" AND payment_status = '{PaymentStatus.PENDING}' AND commission_rate = (SELECT agents_commission()) AND "
    + TEMPLATE_VISIBLE_SQL.format(
        more=" AND t.is_marketplace AND t.price = agents_templatepurchase.price"
        " AND t.tenant_id = seller_tenant_id AND t.user_id IS NOT DISTINCT FROM seller_id"
    )
    + ")"
)


class AgentTemplate(TenantModel):
    """A blueprint for agents: personality, tools and model. Public templates are visible to all organisations."""

    row_security = {
        "read": f"({TENANT_CLAUSE} OR (is_public AND (SELECT conclave_current_tenant()) IS NOT NULL))",
        "write": TENANT_CLAUSE,
    }
    audit_omit = ("usage_count", "rating")

    user = MemberForeignKey(help_text="User who created the template.", editable=False)
    name = models.CharField(max_length=255, help_text="Display name.")
    description = models.TextField(blank=True, default="", help_text="Purpose of its agents.")
    avatar_url = models.CharField(
        max_length=500,
        blank=True,
        default="",
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="Picture of its agents.",
    )
    system_prompt = models.TextField(help_text="Personality and instructions.")
    functions = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Tools available to its agents."
    )
    personality_config = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        help_text='For example {"tone": "friendly", "expertise": "law"}.',
    )
    knowledge_sources = models.JSONField(
        default=list, db_default=[], blank=True, help_text="URLs of pages that its agents know."
    )
    documents = models.ManyToManyField(
        "knowledge.Document",
        through="agents.TemplateDocument",
        related_name="templates",
        help_text="Documents available to its agents.",
    )
    model_config = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        help_text='For example {"temperature": 0.2, "max_tokens": 2000}.',
    )
    allowed_integrations = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Allowed model providers. Empty: all."
    )
    cost_limit_per_request = models.DecimalField(
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Cost limit per request in US dollars. Empty: no limit.",
    )
    version = models.PositiveIntegerField(
        default=1, db_default=1, validators=[MinValueValidator(1)], help_text="Version number, starting at 1."
    )
    is_public = models.BooleanField(
        default=False, db_default=False, help_text="Whether all organisations see it."
    )
    is_marketplace = models.BooleanField(default=False, db_default=False, help_text="Whether it is for sale.")
    price = models.DecimalField(
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Price in US dollars. Required if it is for sale.",
    )
    usage_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Number of agents."
    )
    rating = models.DecimalField(
        max_digits=3,
        decimal_places=2,
        default=0,
        db_default=0,
        editable=False,
        help_text="Average rating, from 1 to 5; 0 if there are no ratings.",
    )

    objects = SharedManager()
    unscoped = models.Manager.from_queryset(ScopedQuerySet)()

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(
                fields=["-rating"], condition=models.Q(is_public=True), name="agents_template_public"
            ),
            models.Index(
                fields=["-id"], condition=models.Q(is_marketplace=True), name="agents_template_for_sale"
            ),
            GinIndex(fields=["functions"], name="agents_template_functions"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(is_marketplace=False) | models.Q(price__isnull=False, is_public=True),
                name="agents_template_sale",
                violation_error_message="A template that is for sale must be public and have a price.",
            ),
            models.CheckConstraint(
                condition=models.Q(price=None) | models.Q(price__gte=0), name="agents_template_price"
            ),
            models.CheckConstraint(
                condition=models.Q(cost_limit_per_request=None) | models.Q(cost_limit_per_request__gte=0),
                name="agents_template_cost_limit",
            ),
            models.CheckConstraint(condition=models.Q(version__gte=1), name="agents_template_version"),
            models.CheckConstraint(
                condition=models.Q(rating__range=(0, 5)), name="agents_template_rating_range"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TemplateDocument(TenantModel):
    """A document available to the agents of a template."""

    template = TenantForeignKey(
        AgentTemplate, models.CASCADE, related_name="knowledge", help_text="The template."
    )
    document = TenantForeignKey(
        "knowledge.Document", models.CASCADE, related_name="+", help_text="The document."
    )

    class Meta(TenantModel.Meta):
        constraints = [
            unique_per_tenant("template", "document", message="The template already has this document.")
        ]

    def __str__(self) -> str:
        return f"{self.template} knows {self.document}"


class TemplatePurchase(TenantModel):
    """A purchase of a template, owned by the buyer and visible to the seller's organisation.

    Stores plain IDs of template and seller, because they belong to another tenant and can be deleted. A tenant
    can only buy at the offered price, and only the platform can mark a purchase as paid.
    """

    row_security = {
        "read": f"({TENANT_CLAUSE} OR seller_tenant_id = (SELECT conclave_current_tenant()))",
        "write": MATCHES_OFFER_SQL,
        "verbs": "SELECT, INSERT",
    }

    buyer = MemberForeignKey(help_text="User who bought it.", editable=False)
    template_id = models.UUIDField(help_text="The template.")
    seller_tenant_id = models.UUIDField(help_text="Organisation of the seller.")
    seller_id = models.UUIDField(null=True, blank=True, help_text="User who created it.")
    price = models.DecimalField(max_digits=10, decimal_places=2, help_text="Price in US dollars.")
    commission_rate = models.DecimalField(
        max_digits=4, decimal_places=3, default=COMMISSION, help_text="The platform's share, from 0 to 1."
    )
    platform_fee = models.GeneratedField(
        expression=Round(models.F("price") * models.F("commission_rate"), 2),
        output_field=models.DecimalField(max_digits=10, decimal_places=2),
        db_persist=True,
        help_text="Amount for the platform, in US dollars.",
    )
    seller_payout = models.GeneratedField(
        expression=models.F("price") - Round(models.F("price") * models.F("commission_rate"), 2),
        output_field=models.DecimalField(max_digits=10, decimal_places=2),
        db_persist=True,
        help_text="Amount for the seller, in US dollars.",
    )
    payment_status = models.CharField(
        max_length=50,
        choices=PaymentStatus,
        default=PaymentStatus.PENDING,
        db_default=PaymentStatus.PENDING,
        help_text="Payment status.",
    )
    payment_method = models.CharField(max_length=50, blank=True, default="", help_text="Payment method.")
    transaction_id = models.CharField(
        max_length=255, blank=True, default="", help_text="ID at the payment provider."
    )
    paid_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Payment time.")
    refunded_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it was refunded."
    )
    purchased_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Purchase time.")

    objects = PurchaseManager()
    unscoped = models.Manager.from_queryset(ScopedQuerySet)()

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "template_id"], name="agents_purchase_template"),
            models.Index(fields=["seller_tenant_id", "-id"], name="agents_purchase_seller"),
            models.Index(fields=["tenant", "payment_status"], name="agents_purchase_status"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "template_id"],
                condition=models.Q(payment_status__in=[PaymentStatus.PENDING, PaymentStatus.COMPLETED]),
                name="agents_purchase_once",
                violation_error_message="Your organisation already bought this template.",
            ),
            models.CheckConstraint(condition=models.Q(price__gte=0), name="agents_purchase_price"),
            models.CheckConstraint(
                condition=models.Q(commission_rate__range=(0, 1)), name="agents_purchase_commission"
            ),
            choices_constraint("payment_status", PaymentStatus.values, name="agents_purchase_status_known"),
        ]

    def __str__(self) -> str:
        return f"Template for {self.price} USD"


class TemplateRating(TenantModel):
    """A user's rating of a visible template."""

    row_security = {
        "read": TENANT_CLAUSE,
        "write": f"({TENANT_CLAUSE} AND {USER_CLAUSE} AND {TEMPLATE_VISIBLE_SQL.format(more='')})",
        # Users can also change their ratings of hidden templates.
        "owned": f"({TENANT_CLAUSE} AND {USER_CLAUSE})",
    }

    user = MemberForeignKey(models.CASCADE, help_text="User who rated it.", editable=False)
    template_id = models.UUIDField(help_text="The template.")
    rating = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(5)], help_text="Rating, from 1 to 5."
    )
    review = models.TextField(blank=True, default="", help_text="Review text.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "template_id"], name="agents_rating_template")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "template_id"],
                name="agents_rating_once",
                violation_error_message="You have already rated this template.",
            ),
            models.CheckConstraint(
                condition=models.Q(rating__range=(1, 5)),
                name="agents_rating_range",
                violation_error_message="The rating must be between 1 and 5.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rating} of 5"
