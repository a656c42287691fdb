"""Models that send the tool schemas of clients unchanged.

Pydantic AI adapts schemas to the provider, for example by removing titles. A client's schema is not adapted: the client
knows what it sends, and validates calls against it. Importing this module imports Pydantic AI, which takes seconds.
"""

from dataclasses import replace
from functools import cache
from typing import Any

from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.settings import ModelSettings

# Metadata of a client's tool.
CLIENT_SCHEMA: dict[str, Any] = {"client_schema": True}
# Model setting that takes the place of `tool_choice` in an agent's run, which accepts no tool that ends the run.
CLIENT_TOOL_CHOICE = "client_tool_choice"
# Model setting that requests a JSON object from OpenAI-compatible providers; the others ignore it.
JSON_OBJECT = "openai_json_object"


class ClientSchemaMixin(Model):
    """Mixin that keeps the schemas of client tools and the tool choice."""

    def prepare_request(
        self, model_settings: ModelSettings | None, model_request_parameters: ModelRequestParameters
    ) -> tuple[ModelSettings | None, ModelRequestParameters]:
        settings: Any = model_settings
        if settings and (choice := settings.get(CLIENT_TOOL_CHOICE)):
            settings = {**settings, "tool_choice": choice}
        return super().prepare_request(settings, model_request_parameters)

    def customize_request_parameters(
        self, model_request_parameters: ModelRequestParameters
    ) -> ModelRequestParameters:
        given = {
            tool.name: tool
            for tool in model_request_parameters.function_tools
            if (tool.metadata or {}).get("client_schema")
        }
        customized = super().customize_request_parameters(model_request_parameters)
        tools = [given.get(tool.name, tool) for tool in customized.function_tools]
        return replace(customized, function_tools=tools)


class ClientSchemaOpenAIModel(ClientSchemaMixin, OpenAIChatModel):
    """OpenAI model that also keeps the answer schema.

    It can be asked for a JSON object.
    """

    def customize_request_parameters(
        self, model_request_parameters: ModelRequestParameters
    ) -> ModelRequestParameters:
        customized = super().customize_request_parameters(model_request_parameters)
        return replace(customized, output_object=model_request_parameters.output_object)

    def prepare_request(
        self, model_settings: ModelSettings | None, model_request_parameters: ModelRequestParameters
    ) -> tuple[ModelSettings | None, ModelRequestParameters]:
        settings: Any
        settings, parameters = super().prepare_request(model_settings, model_request_parameters)
        if settings and settings.get(JSON_OBJECT):
            settings = {**settings, "extra_body": {"response_format": {"type": "json_object"}}}
        return settings, parameters


@cache
def with_client_schemas(model_class: type[Model]) -> type[Any]:
    """Return a subclass of `model_class` that keeps the schemas of client tools."""
    return type(f"ClientSchema{model_class.__name__}", (ClientSchemaMixin, model_class), {})
