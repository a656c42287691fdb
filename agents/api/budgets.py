"""Budgets, their counters and prices in the API."""

from agents.models import AgentFallback, Budget, BudgetCounter, ModelPrice
from config.api.serializers import BaseSerializer, ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet, TenantViewSet


class BudgetSerializer(BaseSerializer):
    """A hard limit on calls to models."""

    class Meta:
        model = Budget
        fields = ("subject", "subject_id", "resource", "period", "limit_value", "is_active", "note")


class BudgetCounterSerializer(ReadOnlySerializer):
    """Usage and open reservations within one period."""

    class Meta:
        model = BudgetCounter
        fields = (
            "subject",
            "subject_id",
            "resource",
            "period",
            "period_start",
            "used",
            "reserved",
            "limit_value",
        )


class ModelPriceSerializer(BaseSerializer):
    """The organisation's own price of a model."""

    class Meta:
        model = ModelPrice
        fields = ("provider", "model", "input_price", "output_price", "note")


class AgentFallbackSerializer(BaseSerializer):
    """A fallback model of an agent."""

    class Meta:
        model = AgentFallback
        fields = ("agent", "position", "model_provider", "model_name", "integration")


class BudgetViewSet(TenantViewSet):
    """Limits that the organisation sets for itself."""

    serializer_class = BudgetSerializer
    resource = "budgets"
    ordering_fields = ("created_at", "updated_at", "limit_value")


class BudgetCounterViewSet(ReadOnlyTenantViewSet):
    """Usage counted against limits, newest first."""

    serializer_class = BudgetCounterSerializer
    resource = "usage"
    filterset_fields = ("period_start",)
    ordering_fields = ("created_at", "period_start", "used")


class ModelPriceViewSet(TenantViewSet):
    """The organisation's prices; they override the list prices."""

    serializer_class = ModelPriceSerializer
    resource = "budgets"
    ordering_fields = ("created_at", "updated_at", "model")


class AgentFallbackViewSet(TenantViewSet):
    """Fallback models, tried in order when an agent's own model fails."""

    serializer_class = AgentFallbackSerializer
    resource = "agents"
    ordering_fields = ("created_at", "position")
