"""POST /v1/responses. A response is a stored answer; `previous_response_id` continues its conversation."""

from typing import Any

from django.http.response import HttpResponseBase

from config.api.exceptions import Problem
from conversations.api.wire_models import CompatError, validate_schema
from conversations.completions.history import find_stored_answer, load_chat_history, to_chat_messages
from conversations.completions.types import ChatMessage
from conversations.models import Message

from .errors import error_body
from .file_parts import FilePartsMixin
from .response_objects import find_identifier, render_response
from .response_schemas import ITEM_REFERENCE, ResponseRequest, to_completion_request
from .response_streams import ResponseStreamEncoder
from .schemas import ContentPartParam


class ResponseNotFoundError(Problem):
    status_code = 404
    default_code = "previous_response_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"Previous response with id '{name}' not found.", parameter="previous_response_id")


class ResponsesView(FilePartsMixin):
    """A response from an agent or from a model of a tenant integration."""

    dialect = staticmethod(error_body)
    messages_parameter = "input"

    def post(self, request: Any) -> HttpResponseBase:
        """Create a response, complete or as server-sent events."""
        body = validate_schema(ResponseRequest, request.data)
        self.insert_files(body.model, _list_contents(body))
        after, before = self._load_previous(body.previous_response_id)
        return self.answer(
            to_completion_request(body, before, self._load_references(body)),
            lambda completion: render_response(body, completion),
            lambda stream: ResponseStreamEncoder(stream.answer_id, body).encode(stream.events),
            is_streamed=body.stream,
            after=after,
        )

    def _load_previous(self, name: str | None) -> tuple[Message | None, tuple[ChatMessage, ...]]:
        if name is None:
            return None, ()
        self.require("conversations", "read")
        identifier = find_identifier(name)
        with self.scoped():
            found = find_stored_answer(identifier, self.credential.user_id) if identifier else None
            if found is not None:
                return found[1], load_chat_history(found[1])
        raise ResponseNotFoundError(name)

    def _load_references(self, body: ResponseRequest) -> dict[str, ChatMessage]:
        """Return the messages of the answers that the input refers to, by reference."""
        items = [] if isinstance(body.input, str) else body.input
        names = [item.id or "" for item in items if item.type == ITEM_REFERENCE]
        if not names:
            return {}
        self.require("conversations", "read")
        messages = {}
        with self.scoped():
            for name in names:
                identifier = find_identifier(name)
                found = find_stored_answer(identifier, self.credential.user_id) if identifier else None
                if found is None:
                    raise CompatError("input", f"Item with id '{name}' not found.")
                messages[name] = next(to_chat_messages(found[1]))
        return messages


def _list_contents(body: ResponseRequest) -> list[str | list[ContentPartParam] | None]:
    """Return the contents of user messages and tool results."""
    items = [] if isinstance(body.input, str) else body.input
    return [item.content for item in items if item.role == "user"] + [item.output for item in items]
