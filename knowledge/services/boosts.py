"""Boosts of passages by the date and the tags of their documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg.types.json import Jsonb
from pydantic import ValidationError

from knowledge.models import Collection
from knowledge.schemas import CollectionSettings


@dataclass(frozen=True, slots=True)
class SearchBoosts:
    """Boosts of one search, which replace those of the collections.

    Args:
        recency_half_life_days: Age of a document that halves the score of its passages.
        tag_boosts: Factors of the score by tag.
    """

    recency_half_life_days: float | None = None
    tag_boosts: Mapping[str, float] = field(default_factory=dict)


def build_boost_parameters(collections: Sequence[Collection], boosts: SearchBoosts | None) -> dict[str, Any]:
    """Return the statement parameter of the boosts by collection; empty if there are none."""
    found = {str(collection.pk): _merge_boosts(collection, boosts) for collection in collections}
    found = {pk: options for pk, options in found.items() if options}
    return {"boosts": Jsonb(found)} if found else {}


def _merge_boosts(collection: Collection, boosts: SearchBoosts | None) -> dict[str, Any]:
    settings = get_collection_settings(collection)
    given = boosts or SearchBoosts()
    half_life = given.recency_half_life_days or settings.recency_half_life_days
    tags = given.tag_boosts or settings.tag_boosts
    return ({"half_life": half_life} if half_life else {}) | ({"tags": dict(tags)} if tags else {})


def get_collection_settings(collection: Collection) -> CollectionSettings:
    """Return the boosts of the collection; none if the stored ones are invalid."""
    try:
        return CollectionSettings.model_validate(collection.settings, strict=True)
    except ValidationError:
        return CollectionSettings()
