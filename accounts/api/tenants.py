"""Endpoints that provision tenants, for platform API keys."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.decorators import action

from accounts.services.provisioning import provision_tenant
from config.api.constraint_errors import DOES_NOT_EXIST
from config.api.serializers import ReadOnlySerializer
from config.api.views import bodyless
from config.api.viewsets import ReadOnlyTenantViewSet
from tenants.api.plans import SubscriptionSerializer
from tenants.models import Tenant, TenantDeletion
from tenants.models.tenant import SLUG
from tenants.services.deletion import request_deletion
from tenants.services.renewals import find_subscription, renew_subscription
from tenants.services.tenants import find_plan, find_region, resume_tenant, suspend_tenant

from .platform import PlatformView


class PlatformTenantSerializer(ReadOnlySerializer):
    """An organisation as the platform sees it, without its profile and settings."""

    class Meta:
        model = Tenant
        fields = ("slug", "name", "status", "plan_type")


class NewTenantSerializer(serializers.Serializer):
    """A new organisation and its first administrator."""

    slug = serializers.CharField(max_length=100, validators=[SLUG], help_text="Unique name.")
    name = serializers.CharField(max_length=255, help_text="Name of the organisation.")
    plan = serializers.CharField(required=False, max_length=100, help_text="Slug of an active plan.")
    region = serializers.CharField(
        required=False, max_length=100, help_text="Code of an active region. Default: the default region."
    )
    admin_email = serializers.EmailField(
        max_length=255, help_text="E-mail address of the first administrator, who receives an invitation."
    )

    def validate(self, attrs: Any) -> Any:
        finders: dict[str, Any] = {"plan": find_plan, "region": find_region}
        found = {name: find(attrs[name]) if name in attrs else None for name, find in finders.items()}
        if missing := [name for name in found if name in attrs and found[name] is None]:
            raise serializers.ValidationError(dict.fromkeys(missing, DOES_NOT_EXIST))
        return {**attrs, **found}


class StatusReasonSerializer(serializers.Serializer):
    """The reason for a change of status."""

    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=500, help_text="Reason, recorded in the audit log."
    )


class RenewalSerializer(serializers.Serializer):
    """The payment of a subscription's next period."""

    transaction_id = serializers.CharField(
        max_length=255, help_text="ID at the payment provider. The same transaction renews once."
    )
    amount = serializers.DecimalField(max_digits=14, decimal_places=2, help_text="The plan's price, paid.")
    currency = serializers.CharField(max_length=3, help_text="Currency as an ISO 4217 code.")
    method = serializers.CharField(
        required=False, allow_blank=True, max_length=50, help_text="Payment method."
    )


class TenantDeletionSerializer(ReadOnlySerializer):
    """The deletion of an organisation with its report."""

    rows = serializers.DictField(
        child=serializers.IntegerField(), read_only=True, help_text="Number of deleted rows by table."
    )

    class Meta:
        model = TenantDeletion
        fields = ("deleted_tenant_id", "status", "rows", "files", "error", "started_at", "completed_at")


class PlatformTenantViewSet(PlatformView, ReadOnlyTenantViewSet):
    """Organisations of the platform. Requires a platform API key."""

    serializer_class = PlatformTenantSerializer
    resource = "tenants"
    verbs = {"suspend": "write", "resume": "write", "renew": "write", "destroy": "delete"}
    ordering_fields = ("created_at", "updated_at", "name", "slug")

    @extend_schema(request=NewTenantSerializer, responses={201: PlatformTenantSerializer})
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Create an organisation and invite its first administrator."""
        tenant, _ = provision_tenant(**self.validate_body(NewTenantSerializer))
        return self.respond_with(tenant.pk, 201, Location=f"{request._request.path}{tenant.pk}/")

    @extend_schema(request=StatusReasonSerializer, responses={200: PlatformTenantSerializer})
    @action(detail=True, methods=["post"])
    def suspend(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Refuse all requests of an organisation."""
        given = self.validate_body(StatusReasonSerializer)
        tenant = self.get_object()
        suspend_tenant(tenant, **given)
        return self.respond_with(tenant.pk)

    @extend_schema(request=StatusReasonSerializer, responses={200: PlatformTenantSerializer})
    @action(detail=True, methods=["post"])
    def resume(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Accept the requests of a suspended organisation again."""
        given = self.validate_body(StatusReasonSerializer)
        tenant = self.get_object()
        resume_tenant(tenant, **given)
        return self.respond_with(tenant.pk)

    @extend_schema(request=RenewalSerializer, responses={200: SubscriptionSerializer})
    @action(detail=True, methods=["post"])
    def renew(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Record the payment of the subscription's next period, and extend the subscription by it."""
        payment = self.validate_body(RenewalSerializer)
        subscription = renew_subscription(find_subscription(self.get_object()), **payment)
        return self.rendered_row(SubscriptionSerializer, subscription, 200)

    @property
    def extra_parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        """`name`, which confirms a deletion."""
        return ("name",) if getattr(self, "action", None) == "destroy" else ()

    @bodyless(
        parameters=[
            OpenApiParameter("name", str, required=True, description="Name of the organisation, to confirm.")
        ],
        responses={202: TenantDeletionSerializer},
    )
    def destroy(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Delete a suspended organisation with all its rows and files, in the background."""
        tenant = self.get_object(lock=True)
        deletion = request_deletion(tenant, name=request.query_params.get("name", ""))
        response = self.rendered_row(TenantDeletionSerializer, deletion, 202)
        response["Location"] = reverse("platform-tenant-deletion", args=[tenant.pk])
        return response


class TenantDeletionViewSet(PlatformView, ReadOnlyTenantViewSet):
    """The deletion of an organisation. Requires a platform API key."""

    serializer_class = TenantDeletionSerializer
    resource = "tenants"
    pagination_class = None
    filter_backends = ()

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Retrieve the status and the report of a deletion by the ID of the organisation."""
        deletion = TenantDeletion.objects.filter(deleted_tenant_id=self.kwargs["id"]).first()
        if deletion is None:
            raise exceptions.NotFound
        return self.respond_with(deletion.pk)
