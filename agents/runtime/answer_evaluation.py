"""Answers of the offline model to the questions of an indexed dataset."""

from collections.abc import Iterable, Sequence

from agents.runtime.extractive import RetrievedPassage, answer_question
from agents.runtime.semantic_evidence import get_similarity
from knowledge.choices import RetrievalStrategy
from knowledge.models import Collection
from knowledge.services.evaluation import SearchedQuestions
from knowledge.services.search import FoundPassage

# The passages that an agent's search returns.
PASSAGES = 8


def answer_questions(searched: SearchedQuestions, identifiers: Iterable[str]) -> dict[str, str | None]:
    """Return the answer to each question, None if it is declined. Needs a tenant scope."""
    return {identifier: _answer_question(searched, identifier) for identifier in identifiers}


def _answer_question(searched: SearchedQuestions, identifier: str) -> str | None:
    found = searched.search(identifier, strategy=RetrievalStrategy.HYBRID, limit=PASSAGES)
    passages = [build_passage(passage, [searched.collection]) for passage in found]
    answer = answer_question(searched.queries[identifier], passages)
    return answer.text if answer.found else None


def build_passage(found: FoundPassage, collections: Sequence[Collection] = ()) -> RetrievedPassage:
    """Build a passage as the model receives it from the search tool."""
    return RetrievedPassage(
        id=str(found.id),
        document_title=found.title or found.filename,
        text=found.text,
        score=round(found.score, 4),
        context=found.context,
        page=found.page,
        similarity=get_similarity(found, collections),
    )
