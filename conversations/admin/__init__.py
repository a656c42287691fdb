"""Console pages of conversations."""

from .conversations import ConversationAdmin, ParticipantAdmin
from .messages import MessageAdmin
from .tools import ToolExecutionAdmin

__all__ = ["ConversationAdmin", "MessageAdmin", "ParticipantAdmin", "ToolExecutionAdmin"]
