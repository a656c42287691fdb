"""Schemas of the JSON columns of knowledge."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from config.db import json_schema

MIN_HALF_LIFE_DAYS, MAX_HALF_LIFE_DAYS = 0.01, 36_500
MIN_BOOST, MAX_BOOST, MAX_BOOSTED_TAGS = 0.1, 10, 20
# Tokens of text around a passage.
MAX_EXPAND_TOKENS = 4000
LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Boost = Annotated[float, Field(ge=MIN_BOOST, le=MAX_BOOST)]


class CollectionSettings(BaseModel):
    """Boosts of search in the `settings` of a collection; other members are allowed.

    The score of a passage halves for each `recency_half_life_days` of its document's age. It is multiplied by the
    factors in `tag_boosts` of the document's tags.
    """

    model_config = ConfigDict(extra="allow")

    recency_half_life_days: Annotated[float, Field(ge=MIN_HALF_LIFE_DAYS, le=MAX_HALF_LIFE_DAYS)] | None = (
        None
    )
    tag_boosts: Annotated[dict[Tag, Boost], Field(max_length=MAX_BOOSTED_TAGS)] = {}


class SchemaValidator(json_schema.SchemaValidator):
    """Validator of a value against a schema of this module, given by name."""
