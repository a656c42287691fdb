"""Scripted servers with the wire formats of Anthropic, Google and OpenAI, and fixed token counts.

with FakeProvider("anthropic", call_tool("calculator", expression="6 * 7"), say("42.")) as server:
    build_model("anthropic", "claude-sonnet-4-5", base_url=server.address, api_key="k")
"""

import json
from typing import Any

from agents.testing import FakeOpenAI, OpenAIHandler, RecordedRequest, ScriptedReply

# Reported usage of each reply: 1,000 input tokens, 400 of them cached, and 10 output tokens.
SENT, CACHED, RECEIVED = 1000, 400, 10


class FakeProvider(FakeOpenAI):
    """A scripted server with the protocol of `provider`."""

    def __init__(self, provider: str, *script: ScriptedReply) -> None:
        self.provider = provider
        super().__init__(*script)

    def handler(self) -> Any:
        return {"anthropic": AnthropicHandler, "google": GoogleHandler}.get(self.provider, CountingHandler)

    @property
    def address(self) -> str:
        """The endpoint URL for an integration of the provider."""
        bare = self.provider in ("anthropic", "google")
        return self.base_url.removesuffix("/v1") if bare else self.base_url


class CountingHandler(OpenAIHandler):
    """OpenAI's protocol with the token counts of this module."""

    def usage(self, reply: ScriptedReply, body: dict[str, Any]) -> dict[str, Any]:
        details = {"prompt_tokens_details": {"cached_tokens": CACHED}}
        return {
            "prompt_tokens": SENT,
            "completion_tokens": RECEIVED,
            "total_tokens": SENT + RECEIVED,
            **details,
        }


class JsonEventHandler(OpenAIHandler):
    """Base of the Anthropic and Google handlers: complete JSON or a stream of events."""

    def do_POST(self) -> None:
        fake: FakeProvider = self.server.fake  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = fake.take(RecordedRequest(self.path, headers, body))
        fake.closing.wait(reply.delay)
        if reply.status != 200:
            return self._send(b'{"error": {"message": "scripted", "code": 1}}', reply)
        if not self.is_streamed(body):
            return self._send(json.dumps(self.whole(reply, body)).encode(), reply)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        events = self.events(reply, body)
        for kind, event in events[: len(events) // 2] if reply.cut else events:
            name = f"event: {kind}\n" if kind else ""
            self._chunk(f"{name}data: {json.dumps(event)}\n\n".encode())
        if not reply.cut:
            self._chunk(b"")
        self.close_connection = reply.cut
        return None

    def is_streamed(self, body: dict[str, Any]) -> bool:
        raise NotImplementedError

    def whole(self, reply: ScriptedReply, body: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def events(self, reply: ScriptedReply, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        raise NotImplementedError


class AnthropicHandler(JsonEventHandler):
    """POST /v1/messages."""

    def is_streamed(self, body: dict[str, Any]) -> bool:
        return bool(body.get("stream"))

    def whole(self, reply: ScriptedReply, body: dict[str, Any]) -> dict[str, Any]:
        block = {"type": "text", "text": reply.text}
        if reply.tool:
            block = {"type": "tool_use", "id": "toolu_1", "name": reply.tool, "input": reply.arguments}
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [block],
            "stop_reason": "tool_use" if reply.tool else "end_turn",
            "stop_sequence": None,
            # Anthropic's `input_tokens` do not include cached tokens.
            "usage": {
                "input_tokens": SENT - CACHED,
                "cache_read_input_tokens": CACHED,
                "output_tokens": RECEIVED,
            },
        }

    def events(self, reply: ScriptedReply, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        whole = self.whole(reply, body)
        (block,) = whole["content"]
        if reply.tool:
            empty = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(reply.arguments)}]
        else:
            empty = {**block, "text": ""}
            deltas = [
                {"type": "text_delta", "text": part} for part in reply.text.replace(" ", " \0").split("\0")
            ]
        began = {
            **whole,
            "content": [],
            "stop_reason": None,
            "usage": {**whole["usage"], "output_tokens": 1},
        }
        end = {
            "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
            "usage": whole["usage"],
        }
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": began},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            {"type": "ping"},
            *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", **end},
            {"type": "message_stop"},
        ]
        return [(event["type"], event) for event in events]


class GoogleHandler(JsonEventHandler):
    """POST /v1beta/models/…:generateContent and …:streamGenerateContent."""

    def is_streamed(self, body: dict[str, Any]) -> bool:
        return ":streamGenerateContent" in self.path

    def _answer_of(self, parts: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        counted = {"promptTokenCount": SENT, "cachedContentTokenCount": CACHED, "totalTokenCount": SENT}
        if last:
            candidate["finishReason"] = "STOP"
            counted |= {"candidatesTokenCount": RECEIVED, "totalTokenCount": SENT + RECEIVED}
        return {"candidates": [candidate], "usageMetadata": counted, "modelVersion": "gemini"}

    def whole(self, reply: ScriptedReply, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer_of(self._parts(reply), last=True)

    def _parts(self, reply: ScriptedReply) -> list[dict[str, Any]]:
        if reply.tool:
            return [{"functionCall": {"name": reply.tool, "args": reply.arguments}}]
        return [{"text": part} for part in reply.text.replace(" ", " \0").split("\0")]

    def events(self, reply: ScriptedReply, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        parts = self._parts(reply)
        return [
            ("", self._answer_of([part], last=place == len(parts))) for place, part in enumerate(parts, 1)
        ]
