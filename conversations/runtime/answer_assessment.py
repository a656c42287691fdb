"""Confidence and subject of answers, computed from the passages that the agent found.

The confidence is the share of the answer's words, as stems without function words, that occur in the found passages:
K-Precision of Adlakha et al. ("Evaluating Correctness and Faithfulness of Instruction-Following Models for Question
Answering", TACL 2024). It measures whether the answer rests on the knowledge, not whether the knowledge is right. An
answer without passages has no confidence.

The subject is the collection of most cited passages.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from conversations.runtime.citations import CITATION_MARKER
from conversations.runtime.turns import TurnContext
from knowledge.services.search import FoundPassage
from knowledge.stemming import STOP_WORDS, split_words, stem_word

MAX_SUBJECT_LENGTH = 255


def assess_answer(turn: TurnContext, content: str, citations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the columns `confidence_score` and `conversation_domain` of a completed answer."""
    passages = turn.journal.passages
    if turn.schema is not None or not passages:
        return {}
    return {
        "confidence_score": compute_confidence(content, passages),
        "conversation_domain": _find_subject(turn, citations),
    }


def compute_confidence(content: str, passages: Sequence[FoundPassage]) -> float | None:
    """Return the share of the words of the answer that occur in the passages; None without words."""
    known = {stem for each in passages for stem in _list_stems(f"{each.title} {each.context} {each.text}")}
    said = list(_list_stems(CITATION_MARKER.sub("", content)))
    return round(sum(stem in known for stem in said) / len(said), 4) if said else None


def _list_stems(text: str) -> Iterator[str]:
    return (stem_word(word) for word in split_words(text) if word not in STOP_WORDS)


def _find_subject(turn: TurnContext, citations: Sequence[dict[str, Any]]) -> str:
    names: dict[UUID | None, str] = {each.pk: each.name for each in turn.collections}
    places = {str(each.id): each.collection_id for each in turn.journal.passages}
    cited = [places.get(citation["chunk"]) for citation in citations]
    found = Counter(names[place] for place in cited if place in names)
    return found.most_common(1)[0][0][:MAX_SUBJECT_LENGTH] if found else ""
