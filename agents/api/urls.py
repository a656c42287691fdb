"""API routes of the agents app."""

from config.api.routers import ApiRouter

from . import budgets, mcp, payouts, platforms, prompts, reports, runs, templates, views


def register(router: ApiRouter) -> None:
    """Register the resources of this app."""
    router.register("agents", views.AgentViewSet, basename="agent")
    router.register("agent-versions", views.AgentVersionViewSet, basename="agent-version")
    router.register("integrations", views.IntegrationViewSet, basename="integration")
    router.register("llm-usage", views.LlmUsageViewSet, basename="llm-usage")
    router.register("agent-runs", runs.AgentRunViewSet, basename="agent-run")
    router.register("system-prompts", prompts.SystemPromptViewSet, basename="system-prompt")
    router.register("prompt-versions", prompts.PromptVersionViewSet, basename="prompt-version")
    router.register("agent-templates", templates.AgentTemplateViewSet, basename="agent-template")
    router.register("template-purchases", templates.TemplatePurchaseViewSet, basename="template-purchase")
    router.register("payouts", payouts.PayoutViewSet, basename="payout")
    router.register("ledger-entries", payouts.LedgerEntryViewSet, basename="ledger-entry")
    router.register("template-ratings", templates.TemplateRatingViewSet, basename="template-rating")
    router.register("platform-adapters", platforms.PlatformAdapterViewSet, basename="platform-adapter")
    router.register(
        "platform-credentials", platforms.PlatformCredentialViewSet, basename="platform-credential"
    )
    router.register("reports/usage", reports.UsageDailyViewSet, basename="report-usage")
    router.register("reports/agents", reports.AgentActivityDailyViewSet, basename="report-agents")
    router.register("budgets", budgets.BudgetViewSet, basename="budget")
    router.register("budget-counters", budgets.BudgetCounterViewSet, basename="budget-counter")
    router.register("model-prices", budgets.ModelPriceViewSet, basename="model-price")
    router.register("agent-fallbacks", budgets.AgentFallbackViewSet, basename="agent-fallback")
    router.register("mcp-servers", mcp.McpServerViewSet, basename="mcp-server")
    router.register("mcp-server-configs", mcp.McpServerConfigViewSet, basename="mcp-server-config")
