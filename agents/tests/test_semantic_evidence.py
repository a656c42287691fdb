"""Only similarities by multilingual E5 are evidence for an answer."""

from uuid import uuid4

import pytest

from agents.runtime.semantic_evidence import get_similarity
from knowledge.models import Collection
from knowledge.services.search import FoundPassage, RankExplanation


def find_passage(collection_id):
    texts = dict.fromkeys(("title", "filename", "source", "text", "context"), "")
    return FoundPassage(
        id=uuid4(),
        document_id=uuid4(),
        page=None,
        chunk_index=0,
        score=1.0,
        collection_id=collection_id,
        explanation=RankExplanation(similarity=0.9),
        **texts,
    )


@pytest.mark.parametrize(
    ("model", "similarity"),
    [("multilingual-e5-small", 0.9), ("lexical-hash-384", None), ("minilm-l6-384", None)],
)
def test_only_similarities_by_multilingual_e5_are_evidence(model, similarity):
    collections = [Collection(embedding_model="multilingual-e5-small"), Collection(embedding_model=model)]

    assert get_similarity(find_passage(collections[1].pk), collections) == similarity


def test_passages_of_unknown_collections_have_no_similarity():
    assert get_similarity(find_passage(None), [Collection(embedding_model="multilingual-e5-small")]) is None
