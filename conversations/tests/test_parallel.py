"""Concurrent questions in one conversation."""

import threading

import pytest

from agents.tests.factories import AgentFactory
from conversations.models import Conversation, Message
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import begin_turn, record_message, start_conversation
from conversations.tests.workers import in_background

AT_ONCE = 6


@pytest.mark.django_db(transaction=True)
def test_concurrent_messages_are_ordered(tenant, member):
    caller = Caller(tenant.pk, member.user_id, f"user:{member.user_id}")
    with caller.scope():
        row = start_conversation(AgentFactory(), user_id=caller.user_id)
    start = threading.Barrier(AT_ONCE)

    def talk():
        start.wait()
        with caller.scope():
            turn = load_turn(begin_turn(row.pk, content="When?", user_id=caller.user_id), caller)
        with caller.scope():
            record_message(row.pk, role="user", content="A note.", user_id=caller.user_id)
        return run_turn(turn).status

    assert [wait() for wait in [in_background(talk) for _ in range(AT_ONCE)]] == ["completed"] * AT_ONCE
    with caller.scope():
        said = list(Message.objects.filter(conversation_id=row.pk).order_by("sequence_number"))
        assert Conversation.objects.get(pk=row.pk).message_count == 3 * AT_ONCE
    assert [each.sequence_number for each in said] == list(range(1, 3 * AT_ONCE + 1))
    places = {each.pk: each.sequence_number for each in said}
    answers = [each for each in said if each.role == "assistant"]
    assert [each.sequence_number - places[each.reply_to_id] for each in answers] == [1] * AT_ONCE
