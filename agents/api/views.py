"""API resources for agents, versions, integrations and model usage."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action

from agents.models import AgentVersion, Integration
from agents.runtime.concurrency import waiting_for_model
from agents.runtime.connection_check import check_connection
from agents.services.agents import publish_agent
from agents.services.versions import diff_versions, diff_with_draft, latest_version, restore_version
from config.api.views import bodyless, json_response
from config.api.viewsets import ReadOnlyTenantViewSet, TenantViewSet

from .serializers import (
    AgentSerializer,
    AgentVersionSerializer,
    ChangeSerializer,
    IntegrationSerializer,
    LlmUsageSerializer,
    PayloadsSerializer,
    PublishSerializer,
    RestoreSerializer,
)


class AgentViewSet(TenantViewSet):
    """Agents: their model, instructions, tools and knowledge."""

    serializer_class = AgentSerializer
    resource = "agents"
    ordering_fields = ("created_at", "updated_at", "name")
    verbs = {"publish": "write", "restore": "write", "changes": "read"}
    owner_field = "created_by_id"

    @extend_schema(request=PublishSerializer, responses={201: AgentVersionSerializer})
    @action(detail=True, methods=["post"])
    def publish(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Publish the agent's current settings as a new version."""
        parameters = self.validate_body(PublishSerializer)
        agent = self.get_object(lock=True)
        version = publish_agent(agent, note=parameters["note"], actor=self.credential.user_id)
        return self.rendered_row(AgentVersionSerializer, version, 201)

    @extend_schema(request=RestoreSerializer, responses={200: AgentSerializer})
    @action(detail=True, methods=["post"])
    def restore(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Restore the settings of an earlier version as the draft. Publish the agent to apply them."""
        parameters = self.validate_body(RestoreSerializer)
        agent = self.get_object(lock=True)
        version = AgentVersion.objects.filter(agent=agent, version=parameters["version"]).first()
        if version is None:
            raise Http404
        restore_version(agent, version, actor=self.credential.user_id)
        return self.respond_with(agent.pk)

    @extend_schema(responses={200: ChangeSerializer(many=True)})
    @action(detail=True, methods=["get"], pagination_class=None)
    def changes(self, request: Any, **kwargs: Any) -> HttpResponse:
        """List the settings changed since the latest published version."""
        agent = self.get_object()
        latest = latest_version(agent)
        return json_response(diff_with_draft(latest, agent) if latest else [])


class AgentVersionViewSet(ReadOnlyTenantViewSet):
    """Immutable published versions of agents."""

    serializer_class = AgentVersionSerializer
    resource = "agents"
    verbs = {"changes": "read"}

    @extend_schema(responses={200: ChangeSerializer(many=True)})
    @action(detail=True, methods=["get"], pagination_class=None)
    def changes(self, request: Any, **kwargs: Any) -> HttpResponse:
        """List the settings this version changed compared to the previous one."""
        version = self.get_object()
        before = AgentVersion.objects.filter(agent_id=version.agent_id, version__lt=version.version)
        earlier = before.order_by("-version").first()
        return json_response(diff_versions(earlier.snapshot if earlier else {}, version.snapshot))


class IntegrationViewSet(TenantViewSet):
    """Accounts at model providers."""

    serializer_class = IntegrationSerializer
    resource = "integrations"
    ordering_fields = ("created_at", "updated_at", "name")
    owner_field = "user_id"
    verbs = {"check": "write"}

    @property
    def scope(self) -> str:
        return "manual" if self.action == "check" else "request"

    @bodyless(responses={200: IntegrationSerializer})
    @action(detail=True, methods=["post"])
    def check(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Check the connection by listing the endpoint's models.

        The result is in `status` and `last_error`.
        """
        try:
            with waiting_for_model(self.credential.tenant_id):
                account = check_connection(kwargs["id"], self.scoped)
        except Integration.DoesNotExist:
            raise Http404 from None
        with self.scoped():
            return self.rendered_row(IntegrationSerializer, account, 200)


class LlmUsageViewSet(ReadOnlyTenantViewSet):
    """Token usage and cost of model calls."""

    serializer_class = LlmUsageSerializer
    resource = "usage"
    verbs = {"payloads": "read"}

    @extend_schema(responses={200: PayloadsSerializer})
    @action(detail=True, methods=["get"], pagination_class=None)
    def payloads(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the payloads of one of the caller's own calls, as the organisation stores them.

        No other user can read them.
        """
        own = self.get_queryset().filter(user_id=self.credential.user_id)
        row = own.filter(pk=kwargs["id"]).values("request_payload", "response_payload").first()
        if row is None:
            raise Http404
        return json_response(row)
