"""Factories of the state of LangGraph graphs."""

import factory

from config.testing.factories import BaseFactory, member_user
from workflows import models

# Serialised by LangGraph: {"answer": 42}.
STATE = b"\x81\xa6answer*"


class GraphRowFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    thread_id = factory.Sequence(lambda n: f"thread-{n}")
    value_type = "msgpack"
    value = STATE
    size_bytes = len(STATE)

    class Meta:
        abstract = True


class GraphCheckpointFactory(GraphRowFactory):
    checkpoint_id = "1f0ba4f2-7a1c-6a30-8001-3d5f2a6c9e10"
    channel_versions = factory.LazyFunction(lambda: {"answer": "1.0"})
    metadata = factory.LazyFunction(lambda: {"source": "loop", "step": 1})

    class Meta:
        model = models.GraphCheckpoint


class GraphChannelValueFactory(GraphRowFactory):
    channel = "answer"
    version = "1.0"

    class Meta:
        model = models.GraphChannelValue


class GraphWriteFactory(GraphRowFactory):
    checkpoint_id = "1f0ba4f2-7a1c-6a30-8001-3d5f2a6c9e10"
    task_id = "0b7c1d0e-5f57-4c55-9d5e-0a4b6d7f8c21"
    position = 0
    channel = "answer"

    class Meta:
        model = models.GraphWrite
