"""Serialization of passages for the turn's journal."""

import json
from uuid import uuid4

from conversations.runtime.journal import _deserialize_passage, serialize_passage
from knowledge.services.search import FoundPassage, RankExplanation


def test_passage_round_trips_through_json():
    passage = FoundPassage(
        uuid4(), uuid4(), "Tides", "tides.md", "tides.md", "High water.", "Tides", 3, 0, 0.5,
        collection_id=uuid4(), explanation=RankExplanation(text_rank=1, similarity=0.25),
    )  # fmt: skip
    assert _deserialize_passage(json.loads(json.dumps(serialize_passage(passage)))) == passage
