"""Models of conversations."""

from .conversations import Conversation, Participant
from .messages import Message
from .tools import ToolExecution

__all__ = ["Conversation", "Message", "Participant", "ToolExecution"]
