"""Feedback on answers in learned patterns."""

from config.testing.fixtures import add_member
from conversations.models import Message
from conversations.services.forks import fork_conversation
from conversations.tests.factories import ParticipantFactory
from knowledge.models import LearningPattern
from workflows.models import AgentLearningPattern
from workflows.services.answer_learning import COUNTED
from workflows.tests.test_answer_learning import agent, ask, caller, caller_of, counts, keys, rate

__all__ = ["agent", "ask", "caller"]


def test_feedback_counts_once_and_is_replaced_or_withdrawn(ask, caller, agent):
    answer, _ = ask()
    model = keys(agent)[0]
    seen = []
    for feedback in ("helpful", "helpful", "unhelpful", ""):
        rate(caller, answer, feedback)
        seen.append((counts(caller)[model], counts(caller, AgentLearningPattern)[model]))
    assert seen == [((1, 1, 0),) * 2, ((1, 1, 0),) * 2, ((1, 1, 1),) * 2, ((1, 0, 0),) * 2]
    with caller.scope():
        assert COUNTED not in Message.objects.get(pk=answer.pk).metadata


def test_feedback_of_a_colleague_changes_their_own_patterns_only(ask, caller, agent, tenant):
    colleague = caller_of(add_member(tenant))
    answer, _ = ask(shared_with=add_member(tenant).user)
    with caller.scope():
        ParticipantFactory(conversation_id=answer.conversation_id, user_id=colleague.user_id, agent=None)
    model = keys(agent)[0]
    rate(caller, answer, "helpful")
    rate(colleague, answer, "unhelpful")
    assert (counts(caller), counts(colleague)) == ({model: (1, 1, 0)}, {model: (0, 1, 1)})
    assert counts(caller, AgentLearningPattern) == {model: (1, 1, 1)}


def test_feedback_on_a_fork_does_not_withdraw_that_on_the_original(ask, caller, agent):
    answer, _ = ask()
    rate(caller, answer, "helpful")
    with caller.scope():
        fork = fork_conversation(answer.conversation, at=answer.pk, user_id=caller.user_id)
        copy = Message.objects.get(conversation_id=fork.pk, role="assistant")
    model, seen = keys(agent)[0], []
    for message, feedback in ((copy, "unhelpful"), (answer, ""), (copy, "")):
        rate(caller, message, feedback)
        seen.append(counts(caller)[model])
    assert seen == [(1, 2, 1), (1, 1, 1), (1, 0, 0)]


def test_failures_never_exceed_outcomes(ask, caller, agent):
    first, _ = ask()
    second, _ = ask()
    rate(caller, first, "helpful")
    rate(caller, second, "unhelpful")
    with caller.scope():
        LearningPattern.objects.update(applied_count=1, failure_count=1)
    rate(caller, first, "")
    assert counts(caller)[keys(agent)[0]] == (2, 1, 1)


def test_feedback_is_not_withdrawn_from_patterns_learned_later(ask, caller, agent):
    answer, _ = ask()
    rate(caller, answer, "helpful")
    with caller.scope():
        LearningPattern.objects.all().delete()
    again, _ = ask()
    rate(caller, again, "helpful")
    rate(caller, answer, "")
    assert counts(caller) == {keys(agent)[0]: (1, 1, 0)}
