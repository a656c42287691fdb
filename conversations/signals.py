"""Signals of conversations, for the apps that depend on them."""

from django.dispatch import Signal

# Sent in the transaction that stores the answer of an agent, with `turn`, `model` (the name of the model that answered)
# and `failed`. It is sent once for each answer.
answer_stored = Signal()
# Sent in the transaction that stores feedback, with the `message` and its new `feedback`. Receivers may change
# `message.metadata`, which is then saved.
feedback_stored = Signal()
# Sent in the transaction that ends an answer, with the `answer` and `was_parked`: whether it may have waited for the
# approval of tool calls.
answer_ended = Signal()
# Sent in the transaction that ends a meeting, with the `conversation_id`.
meeting_ended = Signal()
