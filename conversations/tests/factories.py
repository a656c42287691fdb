"""Factories of conversations."""

import factory

from agents.tests.factories import AgentFactory
from config.testing.factories import HouseFactory, member_user
from conversations.models import Conversation, Message, Participant, ToolExecution


class ConversationFactory(HouseFactory):
    user = factory.LazyFunction(member_user)
    agent = factory.SubFactory(AgentFactory)
    title = factory.Sequence(lambda n: f"Conversation {n}")

    class Meta:
        model = Conversation


class ParticipantFactory(HouseFactory):
    conversation = factory.SubFactory(ConversationFactory)
    user = factory.SelfAttribute("conversation.user")

    class Meta:
        model = Participant


class MessageFactory(HouseFactory):
    conversation = factory.SubFactory(ConversationFactory)
    sequence_number = factory.Sequence(lambda n: n + 1)
    role = "user"
    content = factory.Sequence(lambda n: f"Message {n}")
    user = factory.SelfAttribute("conversation.user")

    class Meta:
        model = Message


class ToolExecutionFactory(HouseFactory):
    message = factory.SubFactory(MessageFactory)
    conversation = factory.SelfAttribute("message.conversation")
    tool_name = "search_knowledge"
    tool_input = factory.LazyFunction(lambda: {"query": "partitions"})
    status = "completed"

    class Meta:
        model = ToolExecution
