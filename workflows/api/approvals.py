"""Approval endpoints: inbox, decision and delegation."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.exceptions import Conflict, Invalid
from config.api.serializers import ObjectField, ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from workflows.choices import Decision
from workflows.models import Approval, ApprovalAssignee, ApprovalDecision, ApprovalLink
from workflows.services.approvals import (
    MAX_COMMENT,
    Answer,
    ApprovalClosedError,
    FormValuesError,
    decide,
    delegate,
)
from workflows.services.approvers import waiting_for

MINE = OpenApiParameter("mine", bool, description="`true`: only approvals that wait for your decision.")
CLOSED = OpenApiResponse(description="The approval is decided, expired or cancelled, or you have decided.")
NOT_ASKED = OpenApiResponse(description="You are not asked to decide.")


class ApprovalSerializer(ReadOnlySerializer):
    """An approval request of a run and its decision."""

    class Meta:
        model = Approval
        fields = (
            "step",
            "prompt",
            "candidate_roles",
            "required",
            "form",
            "values",
            "on_reject",
            "status",
            "comment",
            "decided_by",
            "decided_at",
            "due_at",
            "escalate_to",
            "escalated_at",
            "remind_at",
            "remind_seconds",
            "expires_at",
        )


class ApprovalAssigneeSerializer(ReadOnlySerializer):
    """A member who is asked for a decision."""

    class Meta:
        model = ApprovalAssignee
        fields = ("approval", "user", "delegated_by", "delegated_to")


class ApprovalDecisionSerializer(ReadOnlySerializer):
    """The decision of one person."""

    class Meta:
        model = ApprovalDecision
        fields = ("approval", "user", "decision", "comment", "values", "channel")


class ApprovalLinkSerializer(ReadOnlySerializer):
    """A link sent by e-mail, without its token."""

    class Meta:
        model = ApprovalLink
        fields = ("approval", "user", "expires_at", "used_at")


class ApprovalAnswerSerializer(serializers.Serializer):
    """A decision about an approval."""

    decision = serializers.ChoiceField(choices=Decision.choices, help_text="Approve or reject.")
    comment = serializers.CharField(
        max_length=MAX_COMMENT, required=False, allow_blank=True, help_text="Reason for the decision."
    )
    values = ObjectField(required=False, help_text="Values of the form.")


class DelegationSerializer(serializers.Serializer):
    """A member who decides instead."""

    user = serializers.UUIDField(help_text="ID of the user who decides instead of you.")


@extend_schema_view(list=extend_schema(parameters=[MINE]))
class ApprovalViewSet(ReadOnlyTenantViewSet):
    """Approval requests of workflow runs."""

    serializer_class = ApprovalSerializer
    resource = "workflows"
    verbs = {"decide": "execute", "delegate": "execute"}
    ordering_fields = ("created_at", "updated_at")
    search_fields = ("prompt",)

    @property
    def extra_parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("mine",) if self.action == "list" else ()

    def get_queryset(self) -> Any:
        mine = self.request.query_params.get("mine") if self.action == "list" else None
        if mine not in (None, "true", "false"):
            raise Invalid("mine must be true or false.", code="invalid_filter")
        return waiting_for(self.credential.user_id) if mine == "true" else Approval.objects.all()

    @extend_schema(
        request=ApprovalAnswerSerializer, responses={200: ApprovalSerializer, 403: NOT_ASKED, 409: CLOSED}
    )
    @action(detail=True, methods=["post"])
    def decide(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Approve or reject. The last decision that is required continues the run."""
        given = self.validate_body(ApprovalAnswerSerializer)
        answer = Answer(Decision(given["decision"]), given.get("comment", ""), given.get("values"))
        approval_id = self._find_id()
        try:
            decide(approval_id, answer, user_id=self.credential.user_id)
        except ApprovalClosedError as error:
            raise Conflict(error.message, code=error.code) from error
        except FormValuesError as error:
            raise serializers.ValidationError({"values": error.errors}) from error
        return self.respond_with(approval_id)

    @extend_schema(
        request=DelegationSerializer, responses={200: ApprovalAssigneeSerializer, 403: NOT_ASKED, 409: CLOSED}
    )
    @action(detail=True, methods=["post"])
    def delegate(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Let another member decide instead of you."""
        given = self.validate_body(DelegationSerializer)
        approval_id = self._find_id()
        try:
            assignee = delegate(approval_id, user_id=self.credential.user_id, to_user_id=given["user"])
        except ApprovalClosedError as error:
            raise Conflict(error.message, code=error.code) from error
        return self.rendered_row(ApprovalAssigneeSerializer, assignee)

    def _find_id(self) -> Any:
        found = self.get_queryset().filter(pk=self.kwargs[self.lookup_field]).order_by()
        if (approval_id := found.values_list("pk", flat=True).first()) is None:
            raise Http404
        return approval_id


class ApprovalAssigneeViewSet(ReadOnlyTenantViewSet):
    """Members who are asked for decisions."""

    serializer_class = ApprovalAssigneeSerializer
    resource = "workflows"


class ApprovalDecisionViewSet(ReadOnlyTenantViewSet):
    """Decisions of single people."""

    serializer_class = ApprovalDecisionSerializer
    resource = "workflows"


class ApprovalLinkViewSet(ReadOnlyTenantViewSet):
    """Links sent by e-mail."""

    serializer_class = ApprovalLinkSerializer
    resource = "workflows"
