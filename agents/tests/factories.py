"""Factories of the agents app."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import factory

from agents.models import (
    Agent,
    AgentActivityDaily,
    AgentCollection,
    AgentFallback,
    AgentRun,
    AgentTemplate,
    AgentVersion,
    Budget,
    BudgetCounter,
    BudgetReservation,
    Integration,
    LedgerEntry,
    LlmUsage,
    McpServer,
    McpServerConfig,
    McpServerUser,
    ModelPrice,
    Payout,
    PlatformAdapter,
    PlatformCredential,
    PromptVersion,
    SystemPrompt,
    TemplateDocument,
    TemplatePurchase,
    TemplateRating,
    UsageDaily,
)
from config.db.ids import uuid7
from config.tenancy.scope import require_tenant_id
from config.testing.factories import BaseFactory, ReportFactory, member_user
from config.testing.roles import as_platform
from knowledge.tests.factories import CollectionFactory, DocumentFactory


class IntegrationFactory(BaseFactory):
    name = factory.Sequence(lambda n: f"Integration {n}")
    platform = "openai-compatible"
    base_url = "http://127.0.0.1:9/v1"
    credentials = factory.LazyFunction(lambda: {"api_key": "sk-test-of-the-house"})

    class Meta:
        model = Integration


class AgentFactory(BaseFactory):
    name = factory.Sequence(lambda n: f"Agent {n}")
    slug = factory.Sequence(lambda n: f"agent-{n}")

    class Meta:
        model = Agent


class AgentCollectionFactory(BaseFactory):
    agent = factory.SubFactory(AgentFactory)
    collection = factory.SubFactory(CollectionFactory)

    class Meta:
        model = AgentCollection


class AgentVersionFactory(BaseFactory):
    agent = factory.SubFactory(AgentFactory)
    version = factory.Sequence(lambda n: n + 1)
    snapshot = factory.LazyFunction(dict)
    created_by = factory.LazyFunction(member_user)

    class Meta:
        model = AgentVersion


class LlmUsageFactory(BaseFactory):
    provider = "extractive"
    model = "extractive-1"
    prompt_tokens = 10
    completion_tokens = 5

    class Meta:
        model = LlmUsage


class BudgetFactory(BaseFactory):
    subject = "user"
    subject_id = factory.LazyFunction(uuid7)
    resource = "tokens"
    period = "month"
    limit_value = 100_000
    note = "Enough for a month."

    class Meta:
        model = Budget


class BudgetCounterFactory(BaseFactory):
    subject = "user"
    subject_id = factory.LazyFunction(uuid7)
    resource = "tokens"
    period = "month"
    period_start = datetime(2026, 11, 1, tzinfo=UTC)
    used = 1_250
    limit_value = 100_000

    class Meta:
        model = BudgetCounter


class BudgetReservationFactory(BaseFactory):
    held = factory.LazyFunction(lambda: {str(uuid7()): 250})
    expires_at = datetime(2036, 11, 1, tzinfo=UTC)

    class Meta:
        model = BudgetReservation


class ModelPriceFactory(BaseFactory):
    provider = "openai-compatible"
    model = factory.Sequence(lambda n: f"house-model-{n}")
    input_price = 2
    output_price = 8

    class Meta:
        model = ModelPrice


class AgentFallbackFactory(BaseFactory):
    agent = factory.SubFactory(AgentFactory)
    position = factory.Sequence(lambda n: n + 1)
    model_provider = "extractive"
    model_name = "extractive-1"

    class Meta:
        model = AgentFallback


class AgentRunFactory(BaseFactory):
    """A run of the acting person; the agent may not exist."""

    agent_id = factory.LazyFunction(uuid7)
    user_id = factory.LazyFunction(lambda: member_user().pk)
    prompt = factory.Sequence(lambda n: f"What does chapter {n} say?")
    response = "It says that partitions expire."
    execution_time_ms = 840
    tokens_used = 215

    class Meta:
        model = AgentRun


class UsageDailyFactory(ReportFactory):
    model = factory.Sequence(lambda n: f"model-{n}")

    class Meta:
        model = UsageDaily

    @classmethod
    def counted(cls, **values):
        row = LlmUsageFactory(model=values["model"])
        return {"provider": row.provider, "model": row.model}


class AgentActivityDailyFactory(ReportFactory):
    class Meta:
        model = AgentActivityDaily

    @classmethod
    def counted(cls, **values):
        return {"agent_id": AgentRunFactory(**values).agent_id}


class SystemPromptFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    prompt_key = factory.Sequence(lambda n: f"summarise_{n}")
    prompt_category = "summaries"
    prompt_name = factory.Sequence(lambda n: f"Summary {n}")
    prompt_text = "Summarise {text} in three sentences."
    variables = factory.LazyFunction(lambda: [{"name": "text", "description": "What to summarise"}])

    class Meta:
        model = SystemPrompt


class PromptVersionFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    prompt = factory.SubFactory(SystemPromptFactory)
    version = factory.Sequence(lambda n: n + 2)
    prompt_text = "Summarise {text} in two sentences."
    note = "Shorter."

    class Meta:
        model = PromptVersion


class AgentTemplateFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    name = factory.Sequence(lambda n: f"Template {n}")
    description = "Answers questions about contracts."
    system_prompt = "You know contracts. Cite the clause."
    functions = factory.LazyFunction(lambda: ["search_knowledge"])
    personality_config = factory.LazyFunction(lambda: {"tone": "sober"})
    model_config = factory.LazyFunction(lambda: {"temperature": 0.2})

    class Meta:
        model = AgentTemplate


class TemplateDocumentFactory(BaseFactory):
    template = factory.SubFactory(AgentTemplateFactory)
    document = factory.SubFactory(DocumentFactory)

    class Meta:
        model = TemplateDocument


class TemplatePurchaseFactory(BaseFactory):
    """A purchase of the tenant's own template, which is then withdrawn so that other tenants do not see it."""

    class Params:
        template = factory.SubFactory(
            AgentTemplateFactory, is_public=True, is_marketplace=True, price="19.90"
        )

    buyer = factory.LazyFunction(member_user)
    template_id = factory.SelfAttribute("template.pk")
    seller_tenant_id = factory.SelfAttribute("template.tenant_id")
    seller_id = factory.SelfAttribute("template.user_id")
    price = factory.SelfAttribute("template.price")
    payment_method = "card"

    class Meta:
        model = TemplatePurchase

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        made = super()._create(model_class, *args, **kwargs)
        own = AgentTemplate.unscoped.filter(pk=made.template_id, tenant_id=made.tenant_id)
        own.update(is_public=False, is_marketplace=False)
        return made


class TemplateRatingFactory(BaseFactory):
    class Params:
        template = factory.SubFactory(AgentTemplateFactory)

    user = factory.LazyFunction(member_user)
    template_id = factory.SelfAttribute("template.pk")
    rating = 4
    review = "Finds the right clause."

    class Meta:
        model = TemplateRating


class PlatformFactory(BaseFactory):
    """Rows created with the platform role, regardless of the current scope."""

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        with as_platform():
            return super()._create(model_class, *args, **kwargs)


class LedgerEntryFactory(PlatformFactory):
    tenant_id = factory.LazyFunction(require_tenant_id)
    purchase_id = factory.LazyFunction(uuid7)
    template_id = factory.LazyFunction(uuid7)
    kind = "sale"
    price = Decimal("20.00")
    platform_fee = Decimal("6.00")
    amount = Decimal("14.00")
    occurred_at = datetime(2026, 1, 15, tzinfo=UTC)

    class Meta:
        model = LedgerEntry


class PayoutFactory(PlatformFactory):
    tenant_id = factory.LazyFunction(require_tenant_id)
    period_start = factory.Sequence(lambda n: date(2000 + n // 12 % 20, n % 12 + 1, 1))
    period_end = factory.LazyAttribute(lambda payout: payout.period_start + timedelta(days=27))
    sale_count = 1
    refund_count = 0
    sold = Decimal("20.00")
    platform_fee = Decimal("6.00")
    amount = Decimal("14.00")
    method = "manual"

    class Meta:
        model = Payout


class PlatformAdapterFactory(PlatformFactory):
    adapter_name = factory.Sequence(lambda n: f"cloud-{n}")
    adapter_type = "discovery"
    version = "1.0.0"
    supported_platforms = factory.LazyFunction(lambda: ["aws", "azure"])

    class Meta:
        model = PlatformAdapter


class PlatformCredentialFactory(BaseFactory):
    platform_adapter = factory.SubFactory(PlatformAdapterFactory)
    credential_name = factory.Sequence(lambda n: f"Credential {n}")
    credential_type = "api_key"
    credentials = factory.LazyFunction(lambda: {"api_key": "adapter-key-of-the-house"})

    class Meta:
        model = PlatformCredential


class McpServerFactory(PlatformFactory):
    """A server that only the scope's tenant can see."""

    owner_id = factory.LazyFunction(require_tenant_id)
    name = factory.Sequence(lambda n: f"Server {n}")
    slug = factory.LazyFunction(lambda: f"server-{uuid7()}")
    command = "mcp-server-files --root /srv/files"
    category = "data"

    class Meta:
        model = McpServer


class McpServerConfigFactory(BaseFactory):
    mcp_server = factory.SubFactory(McpServerFactory)
    config = factory.LazyFunction(lambda: {"token": "mcp-token-of-the-house"})
    env = factory.LazyFunction(lambda: {"MCP_SECRET": "mcp-env-of-the-house"})
    resource_limits = factory.LazyFunction(lambda: {"timeout": 30})

    class Meta:
        model = McpServerConfig


class McpServerUserFactory(BaseFactory):
    config = factory.SubFactory(McpServerConfigFactory, for_all_users=False)
    user = factory.LazyFunction(member_user)

    class Meta:
        model = McpServerUser
