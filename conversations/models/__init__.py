"""Models of conversations."""

from .conversations import Conversation, Participant
from .messages import Attachment, Message, MessageEmbedding
from .sessions import SessionState, SessionSummary, StreamEvent
from .tools import McpToolExecution, ToolExecution
from .turns import AnswerLease, TurnStep

__all__ = [
    "AnswerLease",
    "Attachment",
    "Conversation",
    "McpToolExecution",
    "Message",
    "MessageEmbedding",
    "Participant",
    "SessionState",
    "SessionSummary",
    "StreamEvent",
    "ToolExecution",
    "TurnStep",
]
