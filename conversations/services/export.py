"""Export of a conversation to one file: machine-readable JSON, or Markdown for people.

Both are written page by page, each page in a separate short scope, so that a long conversation neither fills
memory nor holds a transaction open. The JSON schema is `docs/reference/conversation-export.schema.json`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from typing import Any
from uuid import UUID

from django.utils import timezone

from config.api.renderers import dumps
from conversations.choices import MessageRole
from conversations.models import (
    Attachment,
    Conversation,
    McpToolExecution,
    Message,
    Participant,
    SessionSummary,
    ToolExecution,
)

FORMAT, VERSION = "conclave-conversation", 1
PAGE = 100
CONVERSATION = (
    "id",
    "title",
    "status",
    "mode",
    "user_id",
    "agent_id",
    "agent_version_id",
    "forked_from_id",
    "forked_at_id",
    "context",
    "metadata",
    "message_count",
    "total_tokens",
    "total_cost",
    "started_at",
    "last_message_at",
    "completed_at",
)
MESSAGE = (
    "id",
    "sequence_number",
    "role",
    "content",
    "status",
    "error_code",
    "error_message",
    "user_id",
    "agent_id",
    "reply_to_id",
    "replaces_id",
    "feedback",
    "model",
    "token_count",
    "cost",
    "latency_ms",
    "citations",
    "tool_calls",
    "tool_results",
    "metadata",
    "created_at",
)
SUMMARY = (
    "summary",
    "model",
    "conversation_domain",
    "key_topics",
    "decisions_made",
    "user_preferences",
    "tools_used",
    "complexity_level",
    "resolution_status",
    "search_keywords",
    "follow_up_tasks",
    "session_rating",
    "ended_at",
)
CALL = ("id", "tool_name", "status", "error_message", "execution_time_ms", "started_at", "completed_at")
Scope = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Export:
    """A conversation to export; `head` holds everything except the messages."""

    conversation_id: UUID
    head: dict[str, Any]
    scope: Scope

    def pages(self) -> Iterator[list[dict[str, Any]]]:
        """Yield pages of messages in order, with files and tool calls. Call it outside any scope."""
        after = 0
        while True:
            with self.scope():
                page = _messages(self.conversation_id, after)
            if not page:
                return
            after = page[-1]["sequence_number"]
            yield page


def open_export(conversation: Conversation, *, scope: Scope, reader: UUID | None) -> Export:
    """Prepare the export of `conversation`. Needs a tenant scope; the caller checks read access.

    Args:
        scope: opens a short scope for each page.
        reader: the person whose branches are listed; None lists all branches.
    """
    branches = Conversation.objects.filter(forked_from_id=conversation.pk)
    if reader is not None:
        branches = branches.visible_to(reader)
    head = {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": timezone.now(),
        "conversation": {name: getattr(conversation, name) for name in CONVERSATION},
        "participants": _participants(conversation),
        "branches": list(branches.order_by("id").values("id", "title", "forked_at_id", "user_id")),
        "summary": SessionSummary.objects.filter(conversation=conversation).values(*SUMMARY).first(),
        "tool_executions": _calls(conversation.pk, None).get(None, []),
    }
    return Export(conversation.pk, head, scope)


def _participants(conversation: Conversation) -> list[dict[str, Any]]:
    rows = (
        Participant.objects.filter(conversation=conversation).select_related("agent", "user").order_by("id")
    )
    return [
        {
            "role": row.role,
            "user_id": row.user_id,
            "agent_id": row.agent_id,
            "name": row.agent.name if row.agent else str(row.user or ""),
        }
        for row in rows
    ]


def _messages(conversation_id: UUID, after: int) -> list[dict[str, Any]]:
    rows = Message.objects.created_after_id(conversation_id).filter(
        conversation_id=conversation_id, sequence_number__gt=after
    )
    page = list(rows.order_by("sequence_number").values(*MESSAGE)[:PAGE])
    ids = [row["id"] for row in page]
    files: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    fields = ("id", "filename", "media_type", "file_size", "checksum", "message_id")
    for row in Attachment.objects.filter(message_id__in=ids).order_by("id").values(*fields):
        files[row.pop("message_id")].append(row)
    calls = _calls(conversation_id, ids) if ids else {}
    for row in page:
        row["attachments"] = files.get(row["id"], [])
        row["tool_executions"] = calls.get(row["id"], [])
    return page


def _calls(conversation_id: UUID, messages: list[UUID] | None) -> dict[UUID | None, list[dict[str, Any]]]:
    """Return tool calls by message; with `messages` None, the calls without a message."""
    found: dict[UUID | None, list[dict[str, Any]]] = defaultdict(list)
    for model, given, returned in (
        (ToolExecution, "tool_input", "tool_output"),
        (McpToolExecution, "parameters", "result"),
    ):
        rows = model.objects.created_after_id(conversation_id).filter(conversation_id=conversation_id)
        rows = (
            rows.filter(message_id__isnull=True) if messages is None else rows.filter(message_id__in=messages)
        )
        for row in rows.order_by("id").values(*CALL, given, returned, "message_id"):
            row["input"], row["output"] = row.pop(given), row.pop(returned)
            found[row.pop("message_id")].append(row)
    return found


def as_json(export: Export) -> Iterator[bytes]:
    """Yield the export as one JSON object, in chunks."""
    yield dumps(export.head)[:-1] + b',"messages":['
    separator = b""
    for page in export.pages():
        for row in page:
            yield separator + dumps(row)
            separator = b","
    yield b"]}\n"


# --- Markdown ---------------------------------------------------------------------------------------------

# Characters that Markdown or HTML could interpret as markup within a line.
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&$:@])")
_RUN = re.compile(r"`{3,}")
_SPEAKERS = {MessageRole.USER: "Person", MessageRole.ASSISTANT: "Agent"}


def inline(text: Any) -> str:
    """Return the text as one line with all Markdown markup escaped."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def fenced(text: str, language: str = "text") -> str:
    """Return the text as a fenced block; the fence is longer than any in the text."""
    longest = max((len(run) for run in _RUN.findall(text)), default=2)
    fence = "`" * (longest + 1)
    # A bare carriage return ends a line in Markdown; Python's other line separators do not.
    body = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    return f"{fence}{language}\n{body}\n{fence}\n"


def as_markdown(export: Export) -> Iterator[bytes]:
    """Yield the export as Markdown, in chunks; message texts are fenced verbatim."""
    names = {row["agent_id"] or row["user_id"]: row["name"] for row in export.head["participants"]}
    yield "".join(_head(export.head)).encode()
    for page in export.pages():
        for row in page:
            yield "".join(_message(row, names)).encode()
    for call in export.head["tool_executions"]:
        yield _call(call).encode()


def _head(head: dict[str, Any]) -> Iterator[str]:
    of = head["conversation"]
    yield f"# {inline(of['title'] or 'Conversation')}\n\n"
    yield f"- Conversation {of['id']}, {of['status']}, {of['mode']}\n"
    yield f"- Began {of['started_at']:%Y-%m-%d %H:%M:%S} UTC, exported {head['exported_at']:%Y-%m-%d %H:%M:%S} UTC\n"
    yield f"- {of['message_count']} messages, {of['total_tokens']} tokens, {of['total_cost']} US dollars\n"
    for row in head["participants"]:
        yield f"- {inline(row['role'])}: {inline(row['name'])}\n"
    if of["forked_from_id"]:
        yield f"- A branch of {of['forked_from_id']}\n"
    for row in head["branches"]:
        yield f"- Branch {row['id']}: {inline(row['title'])}\n"
    yield "\n"
    if head["summary"]:
        yield f"## Summary\n\n{fenced(head['summary']['summary'])}\n"


def _message(row: dict[str, Any], names: dict[UUID, str]) -> Iterator[str]:
    speaker = names.get(row["agent_id"] or row["user_id"]) or _SPEAKERS.get(row["role"], row["role"])
    yield f"## {row['sequence_number']}\\. {inline(speaker)}\n\n"
    facts = [f"{row['created_at']:%Y-%m-%d %H:%M:%S} UTC", row["role"]]
    facts += [row["status"]] if row["status"] != "completed" else []
    facts += [row["model"]] if row["model"] else []
    facts += [f"{row['token_count']} tokens, {row['cost']} US dollars"] if row["token_count"] else []
    facts += [f"verdict: {row['feedback']}"] if row["feedback"] else []
    facts += [f"said instead of {row['replaces_id']}"] if row["replaces_id"] else []
    yield f"{', '.join(map(inline, facts))}\n\n"
    if row["content"]:
        yield f"{fenced(row['content'])}\n"
    if row["error_message"]:
        yield f"Failed: {inline(row['error_code'])}: {inline(row['error_message'])}\n\n"
    yield from map(_citation, row["citations"] if isinstance(row["citations"], list) else ())
    for file in row["attachments"]:
        yield f"- File {inline(file['filename'])}, {file['file_size']} bytes, SHA\\-256 {file['checksum']}\n"
    yield "\n"
    yield from map(_call, row["tool_executions"])


def _citation(cited: Any) -> str:
    if not isinstance(cited, dict):
        return ""
    quote = f": {inline(cited['quote'])}" if cited.get("quote") else ""
    return f"- \\[{inline(cited.get('number', ''))}\\] {inline(cited.get('source', ''))}{quote}\n"


def _call(call: dict[str, Any]) -> str:
    parts = [f"Tool {inline(call['tool_name'])}, {inline(call['status'])}\n\n"]
    said = chain(
        [("input", call["input"])], [("output", call["output"])] if call["output"] is not None else []
    )
    parts += [f"{fenced(dumps({name: value}).decode(), 'json')}\n" for name, value in said]
    if call["error_message"]:
        parts.append(f"{inline(call['error_message'])}\n\n")
    return "".join(parts)
