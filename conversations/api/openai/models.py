"""GET /v1/models: agents by slug, integration models as `<integration>/<model>`, and embedders."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.utils.text import slugify

from agents.choices import AgentStatus, Provider
from agents.models import Agent, Integration
from config.api.views import json_response
from conversations.api.anthropic.errors import is_anthropic
from conversations.api.anthropic.models import build_model_page, render_model
from conversations.api.compat import CompatView, ModelNotFoundError
from knowledge.embedders import local_embedders

from .errors import error_body, get_error_renderer


def _render_model(identifier: str, created: int, owner: str) -> dict[str, Any]:
    return {"id": identifier, "object": "model", "created": created, "owned_by": owner}


class ModelsView(CompatView):
    """Values that a client may send as `model`, in the format of the client."""

    dialect = staticmethod(error_body)
    anthropic_parameters = ("limit", "after_id", "before_id", "beta")

    def get_dialect(self, request: Any) -> Callable[..., dict[str, Any]]:
        return get_error_renderer(request)

    @property
    def extra_parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        """Parameters of Anthropic's client; OpenAI's has none."""
        return self.anthropic_parameters if is_anthropic(self.request) else ()

    def get(self, request: Any) -> HttpResponse:
        """List the models, agents first."""
        if is_anthropic(request):
            return json_response(build_model_page(self.models(), request.GET))
        return json_response({"object": "list", "data": self.models()})

    def models(self) -> list[dict[str, Any]]:
        """Return the models that the caller may use."""
        with self.scoped(read_only=True):
            models = self._list_agents() if self.credential.allows("agents", "read") else []
            if self.credential.allows("integrations", "execute"):
                models += self._list_integration_models()
        if self.credential.allows("collections", "read"):
            models += [_render_model(name, 0, "conclave") for name in local_embedders()]
        return models

    def _list_agents(self) -> list[dict[str, Any]]:
        rows = Agent.objects.filter(status=AgentStatus.ACTIVE).order_by("slug")
        return [
            _render_model(slug, int(created_at.timestamp()), "agent")
            for slug, created_at in rows.values_list("slug", "created_at")
        ]

    def _list_integration_models(self) -> list[dict[str, Any]]:
        named: dict[Any, set[str]] = {}
        for account, model in Agent.objects.exclude(integration=None).values_list(
            "integration_id", "model_name"
        ):
            named.setdefault(account, set()).add(model)
        rows = Integration.objects.filter(platform__in=Provider.values).order_by("name")
        return [
            _render_model(f"{slugify(name)}/{model}", int(created_at.timestamp()), platform)
            for pk, name, platform, offered, created_at in rows.values_list(
                "pk", "name", "platform", "offered_models", "created_at"
            )
            for model in sorted({*offered, *named.get(pk, ())})
        ]


class ModelView(ModelsView):
    """One model."""

    def get(self, request: Any, name: str) -> HttpResponse:
        """Return the model called `name`."""
        for model in self.models():
            if model["id"] == name:
                return json_response(render_model(model) if is_anthropic(request) else model)
        raise ModelNotFoundError(name)
