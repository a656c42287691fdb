"""Settings of completions that only some providers have."""

from typing import Any

from agents.runtime.providers import is_openai_compatible

OPENAI, ANTHROPIC, GOOGLE, EXTRACTIVE = "openai", "anthropic", "google", "extractive"
# Setting: its Pydantic AI name by family of providers. Families without a name do not have the setting.
SETTINGS: dict[str, dict[str, str]] = {
    "effort": {OPENAI: "openai_reasoning_effort", ANTHROPIC: "anthropic_effort"},
    "frequency_penalty": {OPENAI: "frequency_penalty", GOOGLE: "frequency_penalty"},
    "logit_bias": {OPENAI: "logit_bias"},
    "logprobs": {OPENAI: "openai_logprobs"},
    "parallel_tool_calls": {OPENAI: "parallel_tool_calls", ANTHROPIC: "parallel_tool_calls"},
    "presence_penalty": {OPENAI: "presence_penalty", GOOGLE: "presence_penalty"},
    "seed": {OPENAI: "seed", GOOGLE: "seed"},
    "thinking": {ANTHROPIC: "anthropic_thinking"},
    "top_k": {ANTHROPIC: "top_k", GOOGLE: "top_k"},
    "top_logprobs": {OPENAI: "openai_top_logprobs"},
    "verbosity": {OPENAI: "openai_text_verbosity"},
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


def get_family(provider: str) -> str:
    """Return the family of the provider, whose settings it shares."""
    return OPENAI if is_openai_compatible(provider) else provider


def to_model_settings(settings: dict[str, Any], provider: str) -> dict[str, Any]:
    """Return the settings by their Pydantic AI names.

    Raises:
        UnsupportedSettingError: the provider does not have one of the settings.
    """
    family, named = get_family(provider), dict[str, Any]()
    for name, value in settings.items():
        known = SETTINGS.get(name, {family: name}).get(family)
        if known:
            named[known] = value
        elif NEUTRAL.get(name) != value:
            raise UnsupportedSettingError(name, provider)
    return named
