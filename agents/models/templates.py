"""Agent templates, their purchases and ratings."""

from decimal import Decimal

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator, URLValidator
from django.db import models
from django.db.models.functions import Now, Round

from agents.choices import PaymentStatus
from agents.managers import PurchaseManager, SharedManager
from config.db.constraints import TENANT_CLAUSE, USER_CLAUSE
from config.tenancy.managers import ScopedQuerySet
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel

# The platform's share of a sale.
COMMISSION = Decimal("0.30")
# Fields that publish a template to other organisations, and the scope required in addition to writing templates.
PUBLISHING_FIELDS = ("is_public", "is_marketplace")
PUBLISHING_SCOPE = ("tenant", "write")
# A row that refers to a template requires that the template is visible; it may belong to another tenant.
TEMPLATE_VISIBLE_SQL = "EXISTS (SELECT FROM agents_agenttemplate t WHERE t.id = template_id{more})"
MATCHES_OFFER_SQL = (
    f"({TENANT_CLAUSE} AND buyer_id = (SELECT conclave_current_user())"
    f" AND payment_status = '{PaymentStatus.PENDING}' AND commission_rate = {COMMISSION} AND "
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

    user = MemberForeignKey(help_text="Who made it.", editable=False)
    name = models.CharField(max_length=255, help_text="Name shown to people.")
    description = models.TextField(blank=True, default="", help_text="What its agents are for.")
    avatar_url = models.CharField(
        max_length=500,
        blank=True,
        default="",
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="Picture of its agents.",
    )
    system_prompt = models.TextField(help_text="Personality and instructions.")
    functions = models.JSONField(default=list, blank=True, help_text="Tools that its agents may call.")
    personality_config = models.JSONField(
        default=dict, blank=True, help_text='Such as {"tone": "friendly", "expertise": "law"}.'
    )
    knowledge_sources = models.JSONField(
        default=list, blank=True, help_text="Addresses of pages that its agents know."
    )
    documents = models.ManyToManyField(
        "knowledge.Document",
        through="agents.TemplateDocument",
        related_name="templates",
        help_text="Documents that its agents know.",
    )
    model_config = models.JSONField(
        default=dict, blank=True, help_text='Such as {"temperature": 0.2, "max_tokens": 2000}.'
    )
    allowed_integrations = models.JSONField(
        default=list, blank=True, help_text="Providers that may run it; empty: any."
    )
    cost_limit_per_request = models.DecimalField(
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="US dollars that one request may cost; empty: no limit.",
    )
    version = models.PositiveIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="Number of its text, from 1."
    )
    is_public = models.BooleanField(default=False, help_text="Whether every organisation sees it.")
    is_marketplace = models.BooleanField(default=False, help_text="Whether it is for sale.")
    price = models.DecimalField(
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="US dollars, when it is for sale.",
    )
    usage_count = models.PositiveIntegerField(default=0, editable=False, help_text="Agents made of it.")
    rating = models.DecimalField(
        max_digits=3,
        decimal_places=2,
        default=0,
        editable=False,
        help_text="Mean of its ratings, from 1 to 5; 0: none yet.",
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
                violation_error_message="A template that is for sale is public and has a price.",
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
        "knowledge.Document", models.CASCADE, related_name="+", help_text="What its agents know."
    )

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "template", "document"],
                name="agents_templatedocument_once",
                violation_error_message="The template has this document already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.template} knows {self.document}"


class TemplatePurchase(TenantModel):
    """A purchase of a template, owned by the buyer and visible to the seller's organisation.

    Stores plain IDs of template and seller, since they belong to another tenant and may be deleted. A tenant
    can only buy at the offered price; only the platform marks a purchase as paid.
    """

    row_security = {
        "read": f"({TENANT_CLAUSE} OR seller_tenant_id = (SELECT conclave_current_tenant()))",
        "write": MATCHES_OFFER_SQL,
        "verbs": "SELECT, INSERT",
    }

    buyer = MemberForeignKey(help_text="Person who bought it.", editable=False)
    template_id = models.UUIDField(help_text="The template.")
    seller_tenant_id = models.UUIDField(help_text="Organisation that sold it.")
    seller_id = models.UUIDField(null=True, blank=True, help_text="Person who made it.")
    price = models.DecimalField(max_digits=10, decimal_places=2, help_text="US dollars paid.")
    commission_rate = models.DecimalField(
        max_digits=4, decimal_places=3, default=COMMISSION, help_text="The platform's share, from 0 to 1."
    )
    platform_fee = models.GeneratedField(
        expression=Round(models.F("price") * models.F("commission_rate"), 2),
        output_field=models.DecimalField(max_digits=10, decimal_places=2),
        db_persist=True,
        help_text="US dollars that the platform keeps.",
    )
    seller_payout = models.GeneratedField(
        expression=models.F("price") - Round(models.F("price") * models.F("commission_rate"), 2),
        output_field=models.DecimalField(max_digits=10, decimal_places=2),
        db_persist=True,
        help_text="US dollars that the seller gets.",
    )
    payment_status = models.CharField(
        max_length=50, choices=PaymentStatus, default=PaymentStatus.PENDING, help_text="Whether it was paid."
    )
    payment_method = models.CharField(max_length=50, blank=True, default="", help_text="How it is paid.")
    transaction_id = models.CharField(
        max_length=255, blank=True, default="", help_text="The payment provider's own id."
    )
    paid_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When it was paid.")
    refunded_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the money went back."
    )
    purchased_at = models.DateTimeField(db_default=Now(), editable=False, help_text="When it was bought.")

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
                violation_error_message="Your organisation bought this template already.",
            ),
            models.CheckConstraint(condition=models.Q(price__gte=0), name="agents_purchase_price"),
            models.CheckConstraint(
                condition=models.Q(commission_rate__range=(0, 1)), name="agents_purchase_commission"
            ),
            models.CheckConstraint(
                condition=models.Q(payment_status__in=PaymentStatus.values),
                name="agents_purchase_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"Template for {self.price} USD"


class TemplateRating(TenantModel):
    """A person's rating of a visible template."""

    row_security = {
        "read": TENANT_CLAUSE,
        "write": f"({TENANT_CLAUSE} AND {USER_CLAUSE} AND {TEMPLATE_VISIBLE_SQL.format(more='')})",
        # Own ratings can be changed even if the template is no longer visible.
        "owned": f"({TENANT_CLAUSE} AND {USER_CLAUSE})",
    }

    user = MemberForeignKey(models.CASCADE, help_text="Person who rates.", editable=False)
    template_id = models.UUIDField(help_text="The template.")
    rating = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(5)], help_text="From 1 to 5."
    )
    review = models.TextField(blank=True, default="", help_text="Why, in words.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "template_id"], name="agents_rating_template")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "template_id"],
                name="agents_rating_once",
                violation_error_message="You rated this template already.",
            ),
            models.CheckConstraint(
                condition=models.Q(rating__range=(1, 5)),
                name="agents_rating_range",
                violation_error_message="The rating lies between 1 and 5.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rating} of 5"
