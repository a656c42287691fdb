"""GET and DELETE /v1/responses/{id}, and the input of a response."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse

from config.api.exceptions import Forbidden
from config.api.views import json_response
from conversations.api.compat import CompatView
from conversations.api.wire_models import CompatError
from conversations.completions.history import find_stored_answer, to_chat_messages
from conversations.completions.records import RESPONSE
from conversations.completions.stored_answers import erase_answer, load_completion
from conversations.completions.types import ChatMessage
from conversations.models import Message
from conversations.services.participants import is_owner

from .errors import ObjectNotFoundError, error_body
from .pages import build_page
from .response_objects import find_identifier, render_response
from .response_schemas import ResponseRequest


class StoredResponseMixin(CompatView):
    """Finds a stored response that the caller can see."""

    dialect = staticmethod(error_body)
    scope = "request"
    resource = "conversations"

    def get_turn(self, name: str) -> tuple[Message, Message]:
        """Return the question and the answer of the response.

        Raises:
            ObjectNotFoundError: the response does not exist.
        """
        identifier = find_identifier(name) if name.startswith("resp_") else None
        found = find_stored_answer(identifier, self.credential.user_id) if identifier else None
        if found is None or RESPONSE not in found[0].metadata:
            raise ObjectNotFoundError(f"Response with id '{name}' not found.")
        return found


class StoredResponseView(StoredResponseMixin):
    """A stored response."""

    extra_parameters = ("include", "stream", "starting_after", "include_obfuscation")

    def get(self, request: Any, name: str) -> HttpResponse:
        """Return the response."""
        if request.GET.get("stream") == "true":
            raise CompatError("stream", "Unsupported parameter: 'stream'. Stored responses are not streamed.")
        question, answer = self.get_turn(name)
        asked = ResponseRequest.model_validate(question.metadata[RESPONSE])
        return json_response(render_response(asked, load_completion(answer)))

    def delete(self, request: Any, name: str) -> HttpResponse:
        """Erase the response and its input."""
        _, answer = self.get_turn(name)
        if not is_owner(answer.conversation, self.credential.user_id):
            raise Forbidden("Only the owner of the conversation can delete its responses.")
        erase_answer(answer.pk, self.credential.user_id)
        return json_response({"id": name, "object": "response", "deleted": True})


class CancelResponseView(StoredResponseMixin):
    """Cancellation, which only background responses have."""

    def post(self, request: Any, name: str) -> HttpResponse:
        """Refuse to cancel the response."""
        self.get_turn(name)
        raise CompatError("response_id", "Only responses created with background=true can be cancelled.")


class ResponseInputItemsView(StoredResponseMixin):
    """The input of a stored response."""

    extra_parameters = ("limit", "order", "after", "before", "include")

    def get(self, request: Any, name: str) -> HttpResponse:
        """List the items of the input, newest first unless `order` is `asc`."""
        question, _ = self.get_turn(name)
        items = [
            {"id": f"item_{question.pk.hex}_{place}", **item}
            for place, item in enumerate(
                item for message in to_chat_messages(question) for item in _render_items(message)
            )
        ]
        return json_response(build_page(items, request.GET))


def _render_items(message: ChatMessage) -> Iterator[dict[str, Any]]:
    if message.role == "tool":
        yield {
            "type": "function_call_output",
            "status": "completed",
            "call_id": message.call_id,
            "output": message.text,
        }
        return
    if message.text or message.images:
        yield {
            "type": "message",
            "status": "completed",
            "role": message.role,
            "content": list(_render_content(message)),
        }
    for call in message.calls:
        yield {
            "type": "function_call",
            "status": "completed",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }


def _render_content(message: ChatMessage) -> Iterator[dict[str, Any]]:
    if message.text and message.role == "assistant":
        yield {"type": "output_text", "text": message.text, "annotations": [], "logprobs": []}
    elif message.text:
        yield {"type": "input_text", "text": message.text}
    for image in message.images:
        yield {"type": "input_image", "detail": image.detail or "auto", "image_url": image.to_data_url()}
