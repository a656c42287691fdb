"""Content blocks in Anthropic's format and their conversion to chat messages."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from conversations.api.documents import extract_text, render_document
from conversations.api.input_files import InputFile
from conversations.api.parameters import BLOCK
from conversations.api.wire_models import CompatError, WireModel
from conversations.completions.types import ChatMessage, ImageContent, ToolCall
from conversations.services.attachments import MAX_FILES

PDF = "application/pdf"
# Type of a source that names an uploaded file.
FILE = "file"
# Blocks of earlier answers that contain the model's reasoning, which is not sent again.
REASONING_BLOCKS = ("thinking", "redacted_thinking")


class SourceParam(WireModel):
    type: str
    media_type: str = ""
    data: str = ""
    url: str | None = None
    file_id: str | None = None
    content: "str | list[ContentBlockParam] | None" = None


class ContentBlockParam(WireModel):
    table = BLOCK

    type: str
    text: str | None = None
    source: SourceParam | None = None
    title: str | None = None
    context: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    is_error: bool = False
    content: "str | list[ContentBlockParam] | None" = None


def to_chat_messages(role: str, content: str | list[ContentBlockParam]) -> list[ChatMessage]:
    """Convert a message to one or more; tool results are blocks of user messages."""
    if isinstance(content, str):
        return [ChatMessage(role, content)]
    messages, texts, images, calls = list[ChatMessage](), list[str](), list[ImageContent](), list[ToolCall]()
    for block in content:
        if block.type == "text":
            texts.append(block.text or "")
        elif block.type == "image" and block.source and role == "user":
            images.append(_parse_image(block.source))
        elif block.type == "document" and block.source and role == "user":
            texts.append(_read_document(block, block.source))
        elif block.type == "tool_use" and block.id and block.name and role == "assistant":
            calls.append(ToolCall(block.id, block.name, json.dumps(block.input or {})))
        elif block.type == "tool_result" and block.tool_use_id and role == "user":
            text = parse_text(block.content, "messages")
            messages.append(ChatMessage("tool", text, call_id=block.tool_use_id, is_error=block.is_error))
        elif block.type not in REASONING_BLOCKS:
            raise _unsupported(block, "messages")
    if texts or images or calls or not messages:
        messages.append(ChatMessage(role, "\n".join(texts), tuple(images), tuple(calls)))
    return messages


def check_documents(contents: Iterable[str | list[ContentBlockParam] | None]) -> None:
    """Check the number of documents that need parsing.

    Raises:
        CompatError: there are more PDF documents and files than a message may have attachments.
    """
    sources = [block.source for content in contents for block in _iter_blocks(content) if block.source]
    if sum(source.media_type == PDF or source.type == FILE for source in sources) > MAX_FILES:
        raise CompatError(
            "messages", f"messages: A request may contain at most {MAX_FILES} PDF documents and files."
        )


def insert_files(
    contents: Iterable[str | list[ContentBlockParam] | None],
    read: Callable[[set[str]], dict[str, InputFile]],
) -> None:
    """Replace uploaded files in documents by their text.

    Args:
        read: returns the files by their ids.
    """
    blocks = [
        (block, block.source.file_id)
        for content in contents
        for block in _iter_blocks(content)
        if block.type == "document" and block.source and block.source.type == FILE and block.source.file_id
    ]
    files = read({file_id for _, file_id in blocks})
    for block, file_id in blocks:
        block.title = block.title or files[file_id].name
        block.source = SourceParam(type="text", data=files[file_id].text)


def _iter_blocks(content: str | list[ContentBlockParam] | None) -> Iterator[ContentBlockParam]:
    """Yield the blocks and those nested in them."""
    for block in content if isinstance(content, list) else ():
        yield block
        yield from _iter_blocks(block.content)
        yield from _iter_blocks(block.source.content if block.source else None)


def parse_text(content: str | list[ContentBlockParam] | None, parameter: str) -> str:
    """Return the text of the blocks.

    Raises:
        CompatError: a block has no text; `parameter` names the member.
    """
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for block in content:
        if block.type == "document" and block.source:
            texts.append(_read_document(block, block.source))
        elif block.type == "text" and block.text is not None:
            texts.append(block.text)
        else:
            raise _unsupported(block, parameter)
    return "\n".join(texts)


def _unsupported(block: ContentBlockParam, parameter: str) -> CompatError:
    return CompatError(
        parameter, f"{parameter}: A content block of type {block.type} is unsupported here or incomplete."
    )


def _read_document(block: ContentBlockParam, source: SourceParam) -> str:
    if source.type == "text":
        text = source.data
    elif source.type == "content":
        text = parse_text(source.content, "messages")
    elif source.type == "base64" and source.media_type == PDF:
        text = extract_text(source.data, "document.pdf", "messages")
    else:
        raise CompatError(
            "messages",
            "messages: Send documents as text, as PDF in base64 or as `file_id` of an uploaded file."
            " URLs are not supported.",
        )
    return render_document(text, title=block.title or "", context=block.context or "")


def _parse_image(source: SourceParam) -> ImageContent:
    if source.type != "base64" or not source.media_type.startswith("image/"):
        raise CompatError("messages", "Image URLs are not supported. Send images as base64.")
    try:
        return ImageContent(base64.b64decode(source.data, validate=True), source.media_type)
    except binascii.Error:
        raise CompatError("messages", "The image is not valid base64.") from None


ContentBlockParam.model_rebuild()
