"""Admin classes for conversations."""

from .conversations import ConversationAdmin, ParticipantAdmin
from .messages import AttachmentAdmin, MessageAdmin, MessageEmbeddingAdmin
from .reports import ConversationActivityDailyAdmin
from .sessions import SessionStateAdmin, SessionSummaryAdmin, StreamEventAdmin
from .tools import McpToolExecutionAdmin, ToolExecutionAdmin
from .turns import AnswerLeaseAdmin, TurnStepAdmin

__all__ = [
    "AnswerLeaseAdmin",
    "AttachmentAdmin",
    "ConversationActivityDailyAdmin",
    "ConversationAdmin",
    "McpToolExecutionAdmin",
    "MessageAdmin",
    "MessageEmbeddingAdmin",
    "ParticipantAdmin",
    "SessionStateAdmin",
    "SessionSummaryAdmin",
    "StreamEventAdmin",
    "ToolExecutionAdmin",
    "TurnStepAdmin",
]
