"""Factories of agents."""

import factory

from agents.models import Agent, AgentCollection, AgentVersion, Integration, LlmUsage
from config.testing.factories import HouseFactory
from knowledge.tests.factories import CollectionFactory


class IntegrationFactory(HouseFactory):
    name = factory.Sequence(lambda n: f"Integration {n}")
    platform = "openai-compatible"
    base_url = "http://127.0.0.1:9/v1"
    credentials = factory.LazyFunction(lambda: {"api_key": "sk-test-of-the-house"})

    class Meta:
        model = Integration


class AgentFactory(HouseFactory):
    name = factory.Sequence(lambda n: f"Agent {n}")
    slug = factory.Sequence(lambda n: f"agent-{n}")

    class Meta:
        model = Agent


class AgentCollectionFactory(HouseFactory):
    agent = factory.SubFactory(AgentFactory)
    collection = factory.SubFactory(CollectionFactory)

    class Meta:
        model = AgentCollection


class AgentVersionFactory(HouseFactory):
    agent = factory.SubFactory(AgentFactory)
    version = factory.Sequence(lambda n: n + 1)
    snapshot = factory.LazyFunction(dict)

    class Meta:
        model = AgentVersion


class LlmUsageFactory(HouseFactory):
    provider = "extractive"
    model = "extractive-1"
    prompt_tokens = 10
    completion_tokens = 5

    class Meta:
        model = LlmUsage
