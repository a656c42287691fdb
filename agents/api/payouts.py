"""API resources for payouts and the ledger of sellers."""

from datetime import UTC, date, datetime
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from agents.models import LedgerEntry, Payout
from agents.services.payouts import get_statement, parse_month
from config.api.exceptions import Invalid
from config.api.serializers import ReadOnlySerializer
from config.api.views import json_response
from config.api.viewsets import ReadOnlyTenantViewSet


class PayoutSerializer(ReadOnlySerializer):
    """A payout of the organisation's share of its sales."""

    class Meta:
        model = Payout
        fields = (
            "id",
            "period_start",
            "period_end",
            "sale_count",
            "refund_count",
            "sold",
            "platform_fee",
            "amount",
            "currency",
            "status",
            "method",
            "destination",
            "transaction_id",
            "error",
            "paid_at",
            "created_at",
        )


class LedgerEntrySerializer(ReadOnlySerializer):
    """A sale or a refund of a template of the organisation."""

    class Meta:
        model = LedgerEntry
        fields = (
            "id",
            "purchase_id",
            "template_id",
            "kind",
            "price",
            "platform_fee",
            "amount",
            "currency",
            "occurred_at",
            "payout",
            "created_at",
        )


def _money(help_text: str) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=14, decimal_places=2, help_text=help_text)


class StatementSerializer(serializers.Serializer):
    """The account of a seller in a month (UTC)."""

    month = serializers.CharField(help_text="The month, as YYYY-MM.")
    currency = serializers.CharField(help_text="Currency as an ISO 4217 code.")
    opening_balance = _money("What the platform owed at the start of the month.")
    sales = _money("Sum of the prices paid.")
    sale_count = serializers.IntegerField(help_text="Number of sales.")
    refunds = _money("Sum of the prices refunded; zero or negative.")
    refund_count = serializers.IntegerField(help_text="Number of refunds.")
    fees = _money("The platform's share of sales less refunds.")
    paid_out = _money("Payouts paid in the month.")
    closing_balance = _money("What the platform owed at the end of the month.")


class PayoutViewSet(ReadOnlyTenantViewSet):
    """Payouts of the organisation's sales of templates."""

    serializer_class = PayoutSerializer
    resource = "purchases"
    ordering_fields = ("created_at", "period_start")
    verbs = {"statement": "read"}

    @property
    def extra_parameters(self) -> tuple[str, ...]:
        return ("month",) if self.action == "statement" else ()

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "month",
                {"type": "string", "pattern": r"^\d{4}-\d{2}$", "examples": ["2026-10"]},
                description="Month in UTC, by default the current one.",
            )
        ],
        responses={200: StatementSerializer},
    )
    @action(detail=False, methods=["get"])
    def statement(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return the balances, sales, refunds and payouts of a month."""
        month = _parse_month(request.query_params.get("month"))
        return json_response(StatementSerializer(get_statement(month)).data)


class LedgerEntryViewSet(ReadOnlyTenantViewSet):
    """Sales and refunds of the organisation's templates."""

    serializer_class = LedgerEntrySerializer
    resource = "purchases"
    ordering_fields = ("created_at", "occurred_at")


def _parse_month(value: str | None) -> date:
    if value is None:
        return datetime.now(UTC).date()
    try:
        return parse_month(value)
    except ValueError as error:
        raise Invalid("Enter the month as YYYY-MM.", code="invalid_month") from error
