"""The extractive answerer as a Pydantic AI model.

Importing this module imports Pydantic AI, which takes seconds.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponseStreamEvent,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from agents.runtime.extractive import ExtractiveCitation, RetrievedPassage, answer_question
from agents.runtime.question_matching import detect_answer_language
from agents.runtime.refusals import SEARCH_FAILED, get_refusal
from knowledge.chunking import count_tokens

SEARCH_TOOL = "search_knowledge"
WORDS_PER_DELTA = 4


class ExtractiveModel(Model):
    """Offline model that calls the `search_knowledge` tool and quotes its results.

    The marker [n] in an answer refers to the n-th passage returned by the tool. The response's
    `provider_details["citations"]` lists the quotes with their positions. Token counts are estimates.
    """

    @property
    def model_name(self) -> str:
        """The name of the only model."""
        return "extractive"

    @property
    def system(self) -> str:
        """The provider name."""
        return "extractive"

    @property
    def provider(self) -> None:
        """No external provider."""
        return

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return the complete answer or a call of the search tool."""
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        return _respond(messages, parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Stream the response a few words at a time."""
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        yield _ExtractiveStream(parameters, _respond(messages, parameters))


@dataclass
class _ExtractiveStream(StreamedResponse):
    response: ModelResponse
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        self.provider_details = self.response.provider_details
        self.finish_reason = self.response.finish_reason
        self._usage = self.response.usage
        for part in self.response.parts:
            if isinstance(part, ToolCallPart):
                yield self._parts_manager.handle_tool_call_part(
                    vendor_part_id=part.tool_call_id,
                    tool_name=part.tool_name,
                    args=part.args,  # type: ignore[arg-type]
                    tool_call_id=part.tool_call_id,
                )
            elif isinstance(part, TextPart):
                for piece in _pieces(part.content):
                    for event in self._parts_manager.handle_text_delta(vendor_part_id="text", content=piece):
                        yield event

    async def close_stream(self) -> None:
        """Do nothing; there is no connection to close."""

    @property
    def model_name(self) -> str:
        return "extractive"

    @property
    def provider_name(self) -> str:
        return "extractive"

    @property
    def provider_url(self) -> None:
        return None

    @property
    def timestamp(self) -> datetime:
        return self.started


def _pieces(text: str) -> list[str]:
    """Split `text` into pieces of a few words that join to exactly `text`."""
    words = text.split(" ")
    groups = [" ".join(words[at : at + WORDS_PER_DELTA]) for at in range(0, len(words), WORDS_PER_DELTA)]
    return [group if number == len(groups) else group + " " for number, group in enumerate(groups, 1)]


def _respond(messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> ModelResponse:
    question, results = _current_turn(messages)
    offered = any(tool.name == SEARCH_TOOL for tool in parameters.function_tools)
    if offered and not results and question.strip():
        return _response(messages, ToolCallPart(SEARCH_TOOL, {"query": question}), "tool_call", {})
    if results and all(result.outcome != "success" for result in results):
        text = get_refusal(SEARCH_FAILED, detect_answer_language(question, []))
        return _response(messages, TextPart(text), "stop", {})
    passages = [
        passage for result in results if result.outcome == "success" for passage in _passages(result.content)
    ]
    answer = answer_question(question, passages)
    citations = [_describe_citation(cited, passages[cited.passage]) for cited in answer.citations]
    details = {"found": answer.found, "citations": citations}
    return _response(messages, TextPart(answer.text), "stop", details)


def _describe_citation(cited: ExtractiveCitation, passage: RetrievedPassage) -> dict[str, Any]:
    """Return a citation; `start` and `end` are offsets in the passage, `document_start` is one in the document."""
    return {
        "passage": cited.passage + 1,
        "id": passage.id,
        "document": cited.document,
        "quote": cited.quote,
        "page": passage.page,
        "start": cited.start,
        "end": cited.end,
        "document_start": None if passage.start is None else passage.start + cited.start,
        "header": cited.header,
    }


def _response(
    messages: Sequence[ModelMessage], part: ToolCallPart | TextPart, reason: Any, details: dict[str, Any]
) -> ModelResponse:
    written = part.content if isinstance(part, TextPart) else part.args_as_json_str()
    usage = RequestUsage(input_tokens=_input_tokens(messages), output_tokens=count_tokens(written))
    return ModelResponse(
        parts=[part],
        usage=usage,
        model_name="extractive",
        provider_name="extractive",
        provider_details=details or None,
        finish_reason=reason,
    )


def _current_turn(messages: Sequence[ModelMessage]) -> tuple[str, list[ToolReturnPart]]:
    """Return the last question and the search results since then."""
    question: str = ""
    results: list[ToolReturnPart] = []
    for message in messages:
        for part in message.parts if isinstance(message, ModelRequest) else ():
            if isinstance(part, UserPromptPart):
                question, results = _text(part.content), []
            elif isinstance(part, ToolReturnPart) and part.tool_name == SEARCH_TOOL:
                results.append(part)
    return question, results


def _text(content: Any) -> str:
    """Return the text of a prompt, ignoring images and files."""
    if isinstance(content, str):
        return content
    parts = (part if isinstance(part, str) else getattr(part, "content", "") for part in content)
    return "\n".join(part for part in parts if isinstance(part, str))


def _passages(content: Any) -> list[RetrievedPassage]:
    """Parse the passages of a tool result: a list, or an object with `passages`, possibly as JSON text."""
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except ValueError:
            return []
    rows = content.get("passages", []) if isinstance(content, dict) else content
    rows = rows if isinstance(rows, list | tuple) else []
    return [
        RetrievedPassage.from_mapping(row)
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("text"), str)
    ]


def _input_tokens(messages: Sequence[ModelMessage]) -> int:
    total = 0
    for message in messages:
        for part in message.parts:
            content = getattr(part, "content", None)
            total += count_tokens(content if isinstance(content, str) else json.dumps(content, default=str))
    return total
