"""Settings of completions that only some providers have."""

from typing import Any

from agents.choices import Provider
from agents.runtime.providers import is_openai_compatible

# Setting: its Pydantic AI name by family of providers. Families without a name do not have the setting.
SETTINGS: dict[str, dict[str, str]] = {
    "effort": {Provider.OPENAI: "openai_reasoning_effort", Provider.ANTHROPIC: "anthropic_effort"},
    "frequency_penalty": {Provider.OPENAI: "frequency_penalty", Provider.GOOGLE: "frequency_penalty"},
    "logit_bias": {Provider.OPENAI: "logit_bias"},
    "logprobs": {Provider.OPENAI: "openai_logprobs"},
    "parallel_tool_calls": {
        Provider.OPENAI: "parallel_tool_calls",
        Provider.ANTHROPIC: "parallel_tool_calls",
    },
    "presence_penalty": {Provider.OPENAI: "presence_penalty", Provider.GOOGLE: "presence_penalty"},
    "seed": {Provider.OPENAI: "seed", Provider.GOOGLE: "seed"},
    "thinking": {Provider.ANTHROPIC: "anthropic_thinking"},
    "top_k": {Provider.ANTHROPIC: "top_k", Provider.GOOGLE: "top_k"},
    "top_logprobs": {Provider.OPENAI: "openai_top_logprobs"},
    "verbosity": {Provider.OPENAI: "openai_text_verbosity"},
}
# Values that change nothing, so any provider accepts them.
NEUTRAL: dict[str, Any] = {
    "frequency_penalty": 0,
    "logprobs": False,
    "parallel_tool_calls": True,
    "presence_penalty": 0,
    "top_logprobs": 0,
}


class UnsupportedSettingError(ValueError):
    """The model's provider does not have the setting `name`."""

    def __init__(self, name: str, provider: str) -> None:
        super().__init__(f"Models of the provider {provider} do not support it.")
        self.name = name


def to_model_settings(settings: dict[str, Any], provider: str) -> dict[str, Any]:
    """Return the settings by their Pydantic AI names.

    Raises:
        UnsupportedSettingError: the provider does not have one of the settings.
    """
    # Providers with an OpenAI-compatible API have its settings.
    family = Provider.OPENAI if is_openai_compatible(provider) else provider
    named: dict[str, Any] = {}
    for name, value in settings.items():
        known = SETTINGS.get(name, {family: name}).get(family)
        if known:
            named[known] = value
        elif NEUTRAL.get(name) != value:
            raise UnsupportedSettingError(name, provider)
    return named
