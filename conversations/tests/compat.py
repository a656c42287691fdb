"""Shared setup for tests of the compatible APIs."""

from dataclasses import dataclass
from typing import Any

from agents.models import Integration, LlmUsage
from agents.testing import FakeOpenAI
from config.tenancy.scope import tenant_scope
from conversations.models import Conversation, Message

WEATHER = {
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@dataclass
class CompatSetup:
    """A tenant with the agent `guide` and the integration `house`, both using a fake endpoint."""

    tenant: Any
    key: Any
    url: str
    model: FakeOpenAI

    def script(self, *replies: Any) -> None:
        """Set the next replies of the endpoint."""
        self.model.script[:] = replies

    def rows(self, model: Any) -> list[Any]:
        with tenant_scope(self.tenant, actor="system:test"):
            return list(model.objects.order_by("id"))

    def messages(self) -> list[tuple[str, str, str]]:
        return [(row.role, row.status, row.content) for row in self.rows(Message)]

    def usage(self) -> list[tuple[str, int, str]]:
        return [
            (row.model, row.prompt_tokens + row.completion_tokens, row.error_message)
            for row in self.rows(LlmUsage)
        ]

    def conversations(self) -> list[Conversation]:
        return self.rows(Conversation)

    def integration(self) -> Integration:
        return self.rows(Integration)[0]
