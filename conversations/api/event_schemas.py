"""JSON Schemas of the event streams below `/api/`.

A stream is described as the array of its events, as in OpenAPI 3.2: each event has the members `event`, `id` and
`data`, which is JSON text.
"""

from typing import Any

from conversations.choices import StreamType

Schema = dict[str, Any]


def reference(name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def describe_object(**members: Schema) -> Schema:
    """Return the schema of an object that has all of the members."""
    return {"type": "object", "required": list(members), "properties": members}


def describe_event(name: str, data: Schema, description: str = "") -> Schema:
    """Return the schema of a server-sent event."""
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return {
        "type": "object",
        "description": description,
        "required": ["event", "data"],
        "properties": {"event": {"const": name}, "id": {"type": "string"}, "data": text},
    }


TEXT = {"type": "string"}
IDS = dict.fromkeys(("conversation", "question", "message"), TEXT)
ANSWER_EVENTS = {
    "message.started": (describe_object(**IDS), "The ids of the question and the answer."),
    "message.delta": (describe_object(text=TEXT), "The next part of the text."),
    "message.reset": (describe_object(), "Discard the text received so far."),
    "message.completed": (reference("Message"), "The complete answer. The stream ends."),
    "message.waiting": (reference("Message"), "A tool call needs approval. The text restarts afterwards."),
    "message.failed": (describe_object(code=TEXT, detail=TEXT), "The answer failed. The stream ends."),
}
COMPONENTS = {
    "AnswerEvent": {"oneOf": [describe_event(name, *each) for name, each in ANSWER_EVENTS.items()]},
    "MeetingStreamEvent": {
        "oneOf": [describe_event(name, reference("MeetingEvent")) for name in StreamType.values]
    },
}
# The schema of an event stream describes one event, because OpenAPI 3.1 has no other place for it.
ANSWER_STREAM = reference("AnswerEvent")
MEETING_STREAM = reference("MeetingStreamEvent")
