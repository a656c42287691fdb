"""Resources of agents."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action

from agents.models import Integration
from agents.runtime.checking import check_connection
from agents.services.agents import publish_agent
from config.api.viewsets import ReadOnlyTenantViewSet, TenantViewSet

from .serializers import (
    AgentSerializer,
    AgentVersionSerializer,
    IntegrationSerializer,
    LlmUsageSerializer,
    PublishSerializer,
)


class AgentViewSet(TenantViewSet):
    """Agents: their model, instructions, tools and knowledge."""

    serializer_class = AgentSerializer
    resource = "agents"
    filterset_fields = ("status", "slug", "model_provider", "integration")
    ordering_fields = ("created_at", "updated_at", "name")
    verbs = {"publish": "write"}
    owner_field = "created_by_id"

    @extend_schema(request=PublishSerializer, responses={201: AgentVersionSerializer})
    @action(detail=True, methods=["post"])
    def publish(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Keep the agent's settings as a new version."""
        agent = self.get_object(lock=True)
        asked = PublishSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        version = publish_agent(agent, note=asked.validated_data["note"], actor=self.credential.user_id)
        return self.rendered_row(AgentVersionSerializer, version, 201)


class AgentVersionViewSet(ReadOnlyTenantViewSet):
    """Published versions of agents; never changed."""

    serializer_class = AgentVersionSerializer
    resource = "agents"
    filterset_fields = ("agent", "version")


class IntegrationViewSet(TenantViewSet):
    """Accounts at providers of models."""

    serializer_class = IntegrationSerializer
    resource = "integrations"
    filterset_fields = ("platform", "status")
    ordering_fields = ("created_at", "updated_at", "name")
    owner_field = "user_id"
    verbs = {"check": "write"}

    @property
    def scope(self) -> str:
        return "manual" if self.action == "check" else "request"

    @extend_schema(request=None, responses={200: IntegrationSerializer})
    @action(detail=True, methods=["post"])
    def check(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Ask the endpoint for its models; the answer's `status` and `last_error` say how that ended."""
        try:
            account = check_connection(kwargs["id"], self.scoped)
        except Integration.DoesNotExist:
            raise Http404 from None
        with self.scoped():
            return self.rendered_row(IntegrationSerializer, account, 200)


class LlmUsageViewSet(ReadOnlyTenantViewSet):
    """What calls to models used and cost."""

    serializer_class = LlmUsageSerializer
    resource = "usage"
    filterset_fields = ("agent_id", "user_id", "conversation_id", "provider", "model")
