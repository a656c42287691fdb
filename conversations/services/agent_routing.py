"""Choice of the agent that answers, in conversations of the mode `smart-router`.

Each word stem that the question shares with an agent counts with its rarity among the candidates, `ln(1 + N/n)` for `n`
of `N` agents, and twice in the name, the capabilities and the tags. The highest sum answers. Without a shared word, the
agent of the latest answer continues.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from accounts.services.work_profile import read_work_profile
from agents.models import Agent, AgentCollection
from conversations.choices import ChatMode
from knowledge.stemming import STOP_WORDS, WEAK_WORDS, split_words, stem_word

# Stems count so often in name, capabilities and tags.
LABEL_WEIGHT = 2
MAX_NAMED_WORDS = 5
_IGNORED = STOP_WORDS | WEAK_WORDS


@dataclass(frozen=True, slots=True)
class AgentRoute:
    """The agent that answers, the reason, and the score of each candidate by slug."""

    agent: Agent
    reason: str
    scores: dict[str, float] = field(default_factory=dict)

    def build_metadata(self) -> dict[str, Any]:
        """Return the metadata of the answer."""
        routing = {"agent": self.agent.slug, "reason": self.reason, "scores": self.scores}
        return {"mode": ChatMode.SMART_ROUTER, "routing": routing}


def route_question(
    question: str, agents: Sequence[Agent], *, user_id: UUID | None, latest: UUID | None
) -> AgentRoute:
    """Return the agent that answers the question.

    Agents that the user disabled in the work profile are left out, unless all of them are.

    Args:
        agents: the candidates, in their order.
        latest: the agent of the latest answer.
    """
    disabled = _list_disabled_agents(user_id)
    candidates = [each for each in agents if each.slug not in disabled] or list(agents)
    asked = _list_stems(question)
    weights = _weigh_words(candidates)
    frequency = Counter(stem for found in weights.values() for stem in found)
    rarity = {stem: math.log(1 + len(candidates) / frequency[stem]) for stem in asked if stem in frequency}
    scores = {
        each.pk: sum(rarity[stem] * weights[each.pk][stem] for stem in rarity if stem in weights[each.pk])
        for each in candidates
    }
    best = max(candidates, key=lambda each: scores[each.pk])
    rounded = {each.slug: round(scores[each.pk], 3) for each in candidates}
    if scores[best.pk] > 0:
        shared = sorted((stem for stem in rarity if stem in weights[best.pk]), key=lambda stem: -rarity[stem])
        words = ", ".join(asked[stem] for stem in shared[:MAX_NAMED_WORDS])
        return AgentRoute(best, f"The question and {best.name} have these words in common: {words}.", rounded)
    for each in candidates:
        if each.pk == latest:
            reason = f"The question has no word in common with an agent. {each.name} gave the latest answer."
            return AgentRoute(each, reason, rounded)
    first = candidates[0]
    reason = f"The question has no word in common with an agent. {first.name} is the first one."
    return AgentRoute(first, reason, rounded)


def _list_disabled_agents(user_id: UUID | None) -> set[str]:
    """Return the slugs of the agents that the user disabled."""
    found = read_work_profile(user_id, "agent_settings")
    return {slug for slug, each in found.items() if isinstance(each, dict) and each.get("enabled") is False}


def _weigh_words(agents: Sequence[Agent]) -> dict[UUID, dict[str, int]]:
    """Return the weight of each stem by agent."""
    knowledge: dict[UUID, list[str]] = {}
    rows = AgentCollection.objects.filter(agent__in=agents).values_list(
        "agent_id", "collection__name", "collection__description"
    )
    for agent_id, *texts in rows:
        knowledge.setdefault(agent_id, []).extend(texts)
    found = {}
    for each in agents:
        labels = [each.name, *map(str, each.capabilities or ()), *map(str, each.tags or ())]
        texts = [each.description, *knowledge.get(each.pk, ())]
        found[each.pk] = dict.fromkeys(_list_stems(" ".join(texts)), 1) | dict.fromkeys(
            _list_stems(" ".join(labels)), LABEL_WEIGHT
        )
    return found


def _list_stems(text: str) -> dict[str, str]:
    """Return the word of each stem, without function words."""
    found: dict[str, str] = {}
    for word in split_words(text.replace("_", " ")):
        if word not in _IGNORED and len(word) > 1:
            found.setdefault(stem_word(word), word)
    return found
