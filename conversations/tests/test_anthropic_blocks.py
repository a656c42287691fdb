"""Conversion of content blocks in Anthropic's format."""

import json

import pytest

from conversations.api.anthropic.blocks import (
    ContentBlockParam,
    check_documents,
    parse_text,
    to_chat_messages,
)
from conversations.api.wire_models import CompatError
from conversations.completions.types import ChatMessage, ImageContent, ToolCall

TEXT = {"type": "text", "text": "When?"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": ""}


def parse(*blocks):
    return [ContentBlockParam.model_validate(block) for block in blocks]


def document(**source):
    return {"type": "document", "title": "Tides", "source": source}


def image(**source):
    return {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "eA==", **source},
    }


def test_texts_images_and_calls_are_one_message():
    assert to_chat_messages("user", "When?") == [ChatMessage("user", "When?")]
    assert to_chat_messages("user", parse(TEXT, image())) == [
        ChatMessage("user", "When?", (ImageContent(b"x", "image/png"),))
    ]
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    call = {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}
    assert to_chat_messages("assistant", parse(thinking, TEXT, call)) == [
        ChatMessage("assistant", "When?", calls=(ToolCall("c", "f", '{"a": 1}'),))
    ]
    assert to_chat_messages("assistant", parse(thinking)) == [ChatMessage("assistant")]


def test_tool_results_are_messages():
    result = {"type": "tool_result", "tool_use_id": "c"}
    given = parse({**result, "content": [TEXT], "is_error": True}, result, TEXT)
    assert to_chat_messages("user", given) == [
        ChatMessage("tool", "When?", call_id="c", is_error=True),
        ChatMessage("tool", "", call_id="c"),
        ChatMessage("user", "When?"),
    ]


def test_nested_documents_are_texts():
    inner = document(type="text", media_type="text/plain", data="Noon.")
    (message,) = to_chat_messages("user", parse(document(type="content", content=[TEXT, inner])))
    members = json.loads(message.text.partition("\n")[2])
    assert (members["document"], "Noon." in members["text"]) == ("Tides", True)
    assert "Noon." in parse_text(parse(inner), "system")


@pytest.mark.parametrize(
    ("role", "block", "message"),
    [
        ("assistant", image(), "of type image is unsupported"),
        ("user", {"type": "image"}, "of type image is unsupported"),
        ("user", image(type="url", url="https://a.example/a.png"), "Image URLs are not supported"),
        ("user", image(media_type="application/pdf"), "Image URLs are not supported"),
        ("user", image(data="?"), "not valid base64"),
        ("assistant", document(type="text", data="x"), "of type document is unsupported"),
        ("user", {"type": "document"}, "of type document is unsupported"),
        ("user", document(type="url", url="https://a.example"), "URLs are not supported"),
        ("user", document(type="file"), "`file_id`"),
        ("user", document(**PDF | {"media_type": "text/html"}), "Send documents as text"),
        ("user", document(**PDF | {"data": "?"}), "not valid base64"),
        ("user", {"type": "tool_use", "id": "c", "name": "f"}, "of type tool_use is unsupported"),
        ("assistant", {"type": "tool_use", "id": "c"}, "of type tool_use is unsupported"),
        ("user", {"type": "tool_result"}, "of type tool_result is unsupported"),
        ("assistant", {"type": "tool_result", "tool_use_id": "c"}, "of type tool_result is unsupported"),
        ("user", {"type": "tool_result", "tool_use_id": "c", "content": [image()]}, "of type image"),
        ("user", {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text"}]}, "of type text"),
        ("user", {"type": "search_result"}, "of type search_result is unsupported"),
    ],
)
def test_unsupported_blocks_are_refused(role, block, message):
    with pytest.raises(CompatError, match=message):
        to_chat_messages(role, parse(block))


def test_nested_documents_count():
    result = {"type": "tool_result", "tool_use_id": "c", "content": [document(**PDF)] * 5}
    wrapped = document(type="content", content=[document(type="file", file_id="file-x")] * 5)
    check_documents(["When?", None, parse(result, wrapped)])
    with pytest.raises(CompatError, match="at most 10 PDF documents and files"):
        check_documents([parse(result, wrapped, document(**PDF))])
