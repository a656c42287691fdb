"""OpenAI chat completions as other servers speak them, with a check the library does not make.

Importing this module imports Pydantic AI and the OpenAI SDK, which takes seconds.
"""

from collections.abc import AsyncIterator

from pydantic_ai.exceptions import ModelConnectionError
from pydantic_ai.messages import ModelResponseStreamEvent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIStreamedResponse


class WholeStream(OpenAIStreamedResponse):
    """A stream that must say why it ended: a server that stops politely half-way is an error, not an answer."""

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        async for event in super()._get_event_iterator():
            yield event
        if self.finish_reason is None and not self.cancelled:
            raise ModelConnectionError(
                self.model_name, "the stream ended without a finish reason", phase="read"
            )


class WholeStreamChatModel(OpenAIChatModel):
    """Chat completions whose streams are checked for their end."""

    @property
    def _streamed_response_cls(self) -> type[OpenAIStreamedResponse]:
        return WholeStream
