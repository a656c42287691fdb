"""Members of `/v1` requests that are passed on, ignored or refused.

The rule: a member that changes the answer is refused, or passed on if the provider has it; any other is ignored. A
member in none of the lists is unknown and refused. `null` counts as absent. `docs/reference/wire-parameters.md` is
generated from this table by `python -m conversations.api.parameters`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Handling(StrEnum):
    """How a request member is handled."""

    PASSED_ON = "passed on, or refused if the provider does not have it"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A member of a request object.

    Attributes:
        reason: why the member is refused or ignored; the error message of a refusal.
        neutral: values of a refused member that change nothing and are accepted.
    """

    name: str
    handling: Handling
    reason: str
    neutral: tuple[Any, ...] = ()

    def is_accepted(self, value: Any) -> bool:
        """Return whether `value` may be ignored."""
        return value is None or self.handling == Handling.IGNORED or value in self.neutral


def _pass_on(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, Handling.PASSED_ON, "") for name in names)


def _ignore(reason: str, *names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, Handling.IGNORED, reason) for name in names)


def _refuse(name: str, reason: str, *neutral: Any) -> Parameter:
    return Parameter(name, Handling.REFUSED, reason, neutral)


# Objects by name; schemas of `conversations.api` refer to them.
CHAT = "POST /v1/chat/completions"
RESPONSES = "POST /v1/responses"
MESSAGES = "POST /v1/messages"
EMBEDDINGS = "POST /v1/embeddings"
SEARCH = "POST /v1/vector_stores/{id}/search"
VECTOR_STORE, VECTOR_FILE = "POST /v1/vector_stores", "POST /v1/vector_stores/{id}/files"
VECTOR_STORE_UPDATE = "POST /v1/vector_stores/{id}"
STREAM_OPTIONS, CHAT_MESSAGE = "OpenAI: `stream_options`", "OpenAI: chat message"
CONTENT_PART, FUNCTION, ITEM = "OpenAI: content part", "OpenAI: function", "OpenAI: input item"
REASONING = "OpenAI: `reasoning`"
BLOCK, TOOL = "Anthropic: content block", "Anthropic: tool"
OUTPUT_CONFIG = "Anthropic: `output_config`"

_OPENAI = (
    *_ignore("It identifies the end user and has no effect on the answer.", "user", "safety_identifier"),
    *_ignore(
        "It affects only the provider's cache.",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
    ),
    *_ignore("It affects only speed and price.", "service_tier"),
    _refuse("moderation", "Moderation policies are not supported."),
)
_ECHO = "It is part of an earlier answer and has no effect when it is sent back."
_CACHE = _ignore("It affects only the provider's cache.", "cache_control")
_NO_EXPIRY = _refuse("expires_after", "Expiry is not supported.")

PARAMETERS: dict[str, tuple[Parameter, ...]] = {
    CHAT: (
        *_pass_on(
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "parallel_tool_calls",
            "presence_penalty",
            "reasoning_effort",
            "seed",
            "top_logprobs",
            "verbosity",
        ),
        *_OPENAI,
        *_ignore("It affects only speed.", "prediction"),
        _refuse("audio", "Audio output is not supported."),
        _refuse("modalities", "Only text output is supported.", ["text"]),
        _refuse("functions", "Use `tools` instead.", []),
        _refuse("function_call", "Use `tool_choice` instead.", "auto", "none"),
        _refuse("web_search_options", "Web search is not supported."),
    ),
    RESPONSES: (
        *_pass_on("include", "parallel_tool_calls", "reasoning", "top_logprobs"),
        *_OPENAI,
        *_ignore("It affects only the padding of stream events.", "stream_options"),
        _refuse("access_programs", "Access programs are not supported."),
        _refuse("background", "Background responses are not supported. Use `stream` instead.", False),
        _refuse("background_options", "Background responses are not supported. Use `stream` instead."),
        _refuse("context_management", "Context management is not supported.", []),
        _refuse("conversation", "Conversations are not supported. Use `previous_response_id` instead."),
        _refuse("image", "Image options are not supported."),
        _refuse("max_tool_calls", "The agent's configuration limits its tool calls."),
        _refuse("prompt", "Stored prompts are not supported. Use `instructions` instead."),
        _refuse("truncation", "Truncation is not supported.", "disabled"),
    ),
    MESSAGES: (
        *_pass_on("output_config", "thinking", "top_k"),
        *_CACHE,
        *_ignore("It affects only speed and price.", "service_tier", "speed", "fallback_credit_token"),
        *_ignore("It asks for diagnostics of the provider's cache.", "diagnostics"),
        _refuse("billing_policy", "Billing policies are not supported."),
        _refuse("compaction", "Compaction is not supported."),
        _refuse("container", "Containers are not supported."),
        _refuse("context_management", "Context management is not supported."),
        _refuse("fallbacks", "Configure fallback models in the agent instead.", []),
        _refuse("inference_geo", "The integration's endpoint determines the region."),
        _refuse("mcp_servers", "Configure MCP servers in the agent instead.", []),
    ),
    EMBEDDINGS: _ignore("It identifies the end user and has no effect on the answer.", "user"),
    SEARCH: (
        _refuse("filters", "Filters are not supported."),
        _refuse("ranking_options", "Ranking options are not supported.", {}, {"ranker": "auto"}),
        _refuse("rewrite_query", "Query rewriting is not supported.", False),
    ),
    VECTOR_STORE: (
        _refuse("chunking_strategy", "Set the chunk size of the collection instead.", {"type": "auto"}),
        _NO_EXPIRY,
    ),
    VECTOR_STORE_UPDATE: (_NO_EXPIRY,),
    VECTOR_FILE: (
        _refuse("chunking_strategy", "Set the chunk size of the collection instead.", {"type": "auto"}),
    ),
    STREAM_OPTIONS: _ignore("It affects only the padding of stream events.", "include_obfuscation"),
    CHAT_MESSAGE: (
        *_ignore(_ECHO, "refusal", "annotations", "reasoning_content", "reasoning"),
        _refuse("audio", "Audio is not supported."),
        _refuse("function_call", "Use `tool_calls` instead."),
    ),
    CONTENT_PART: (
        *_ignore(_ECHO, "annotations", "logprobs"),
        *_ignore("It affects only the provider's cache.", "prompt_cache_breakpoint"),
        _refuse("file_url", "Files are not fetched from URLs. Upload the file."),
    ),
    FUNCTION: (
        _refuse("allowed_callers", "Only direct calls are supported.", ["direct"]),
        _refuse("defer_loading", "Deferred tools are not supported.", False),
        _refuse("output_schema", "Schemas of tool results are not supported."),
    ),
    ITEM: _ignore(
        _ECHO, "status", "summary", "encrypted_content", "namespace", "phase", "caller", "created_by"
    ),
    REASONING: (
        *_pass_on("effort"),
        *_ignore("Reasoning is not part of the answer.", "summary", "generate_summary"),
        _refuse("context", "The context of reasoning cannot be chosen.", "auto"),
        _refuse("mode", "Modes of reasoning are not supported.", "standard"),
    ),
    BLOCK: (
        *_CACHE,
        *_ignore(_ECHO, "caller", "toolset_name", "signature", "thinking", "data"),
        _refuse("citations", "Citations of documents are not supported.", [], {"enabled": False}),
    ),
    TOOL: (
        *_CACHE,
        *_ignore("It affects only the streaming of arguments.", "eager_input_streaming"),
        _refuse("allowed_callers", "Only direct calls are supported.", ["direct"]),
        _refuse("defer_loading", "Deferred tools are not supported.", False),
        _refuse("input_examples", "Examples of tool input are not supported.", []),
    ),
    OUTPUT_CONFIG: (
        *_pass_on("effort"),
        _refuse("task_budget", "Token budgets of tasks are not supported."),
    ),
}


def render_parameters() -> str:
    """Return the reference page of the table, in Markdown."""
    lines = [
        "# Parameters of the wire formats",
        "",
        "<!-- Generated by python -m conversations.api.parameters -->",
    ]
    lines += [
        "",
        "A member that changes the answer is refused with 400, or passed on if the provider has it.",
        "Any other member is ignored. Members in none of the lists are unknown and refused. `null` counts as absent.",
        "The error names the member: `param` for OpenAI's client, the message for Anthropic's.",
    ]
    for title, parameters in PARAMETERS.items():
        lines += ["", f"## {title.replace('`', '')}", ""]
        for handling in Handling:
            chosen = [parameter for parameter in parameters if parameter.handling == handling]
            if chosen:
                lines += [f"{handling.capitalize()}:", "", *map(_render_parameter, chosen), ""]
        lines.pop()
    return "\n".join(lines) + "\n"


def _render_parameter(parameter: Parameter) -> str:
    accepted = ", ".join(f"`{value!r}`" for value in parameter.neutral)
    return f"- `{parameter.name}`. {parameter.reason}".removesuffix(". ") + (
        f" Accepted: {accepted}." if accepted else ""
    )


if __name__ == "__main__":
    print(render_parameters(), end="")
