"""Serialization of passages for the turn's journal."""

import json
from uuid import uuid4

from conversations.runtime.turns import _kept, _made_again
from knowledge.services.search import Explanation, FoundPassage


def test_passage_round_trips_through_json():
    passage = FoundPassage(
        uuid4(), uuid4(), "Tides", "tides.md", "tides.md", "High water.", "Tides", 3, 0, 0.5,
        collection_id=uuid4(), explanation=Explanation(text_rank=1, similarity=0.25),
    )  # fmt: skip
    assert _made_again(json.loads(json.dumps(_kept(passage)))) == passage
