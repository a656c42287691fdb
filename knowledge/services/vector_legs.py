"""Vector legs of a search: one for each embedding model of the searched collections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from knowledge.choices import RetrievalStrategy
from knowledge.embedders.e5 import E5Embedder
from knowledge.models import Collection, vector_model

ANY_DISTANCE = 3.0


@dataclass(frozen=True, slots=True)
class LegWeight:
    """Weight of a vector leg relative to the text leg, and its maximum cosine distance.

    `relative` scales the similarities to the range of the candidates.
    """

    weight: float
    farthest: float
    relative: bool = True


# Chosen with ten of the fifteen languages of `benchmarks/data/languages`. A lexical embedder sees the same words as the
# text leg, so it gets less weight and a lower maximum distance.
LEXICAL, SEMANTIC, MULTILINGUAL = (
    LegWeight(0.3, 0.9, relative=False),
    LegWeight(1.0, 1.0),
    LegWeight(2.5, 1.0),
)
# A search by vectors alone has no maximum distance, so that it returns as many passages as requested.
VECTORS_ONLY = LegWeight(1.0, ANY_DISTANCE, relative=False)


@dataclass(frozen=True, slots=True)
class VectorLeg:
    """The collections of one embedding model and its query vector."""

    table: str
    vector: str
    collections: list[UUID]
    part: LegWeight


def build_vector_legs(
    collections: Sequence[Collection], vectors: Mapping[str, str], strategy: str
) -> list[VectorLeg]:
    """Return one leg for each embedding model; none for keyword searches."""
    if strategy == RetrievalStrategy.KEYWORD:
        return []
    by_model: dict[str, list[Collection]] = {}
    for collection in collections:
        by_model.setdefault(collection.embedding_model, []).append(collection)
    return [
        VectorLeg(
            vector_model(members[0].dimensions)._meta.db_table,
            vectors[model],
            [member.pk for member in members],
            VECTORS_ONLY if strategy == RetrievalStrategy.SEMANTIC else _get_leg_weight(model),
        )
        for model, members in by_model.items()
    ]


def _get_leg_weight(embedding_model: str) -> LegWeight:
    if embedding_model.startswith("lexical"):
        return LEXICAL
    return MULTILINGUAL if embedding_model == E5Embedder.name else SEMANTIC


def list_relative_legs(legs: Sequence[VectorLeg]) -> list[bool]:
    """Return for each leg whether its similarities are scaled to the range of the candidates."""
    # Similarities of different models are comparable only relative to their candidates.
    return [leg.part.relative or len(legs) > 1 for leg in legs]


def build_leg_parameters(legs: Sequence[VectorLeg]) -> dict[str, Any]:
    """Return the statement parameters of the vector legs."""
    values: dict[str, Any] = {}
    for number, leg in enumerate(legs):
        values |= {
            f"vector_{number}": leg.vector,
            f"collections_{number}": leg.collections,
            f"weight_{number}": leg.part.weight,
            f"farthest_{number}": leg.part.farthest,
        }
    return values
