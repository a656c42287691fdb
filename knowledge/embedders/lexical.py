"""Lexical embedder without a model: compares words and spelling, not meaning."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

from knowledge.embedders.base import Vector
from knowledge.stemming import STOP_WORDS, WEAK_WORDS, split_words, stem_word

DIMENSIONS = 384
STOP_WORD_WEIGHT = 0.05
WEAK_WORD_WEIGHT = 0.6
SPELLING_WEIGHT = 0.8
PAIR_WEIGHT = 0.4
# Dimensions per stem: with two, a collision in one affects the similarity less.
SLOTS = 2


class LexicalEmbedder:
    """Signed feature hashing of stems, word pairs and trigrams into unit vectors.

    Texts are similar if they share words or spelling ("colour", "colours"), not if they share meaning.
    The method is that of Weinberger and others, "Feature Hashing for Large Scale Multitask Learning" (2009),
    with 1 + ln(count) for repeated words and two dimensions for each stem. Vectors are the same in every process
    and on every machine.
    """

    name = "lexical-hash-384"
    dimensions = DIMENSIONS

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector per text; a text without words gets the first unit vector."""
        return [_vector(text) for text in texts]

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a query, computed as for a passage."""
        return _vector(text)


def _vector(text: str) -> Vector:
    values = [0.0] * DIMENSIONS
    tokens = split_words(text)
    for word, count in Counter(tokens).items():
        scale = (1 + math.log(count)) * _word_weight(word)
        for index, weight in _word_features(word):
            values[index] += scale * weight
    strong = [stem_word(word) for word in tokens if word not in STOP_WORDS]
    for pair in set(pairwise(strong)):
        index, sign = _slot("pair", " ".join(pair))
        values[index] += PAIR_WEIGHT * sign
    length = math.sqrt(math.fsum(value * value for value in values))
    return [value / length for value in values] if length else [1.0] + [0.0] * (DIMENSIONS - 1)


def _word_weight(word: str) -> float:
    if word in STOP_WORDS:
        return STOP_WORD_WEIGHT
    return WEAK_WORD_WEIGHT if word in WEAK_WORDS else 1.0


@lru_cache(maxsize=65536)
def _word_features(word: str) -> tuple[tuple[int, float], ...]:
    padded = f"<{word}>"
    grams = [padded[at : at + 3] for at in range(len(padded) - 2)] if len(word) > 3 else []
    share = SPELLING_WEIGHT / math.sqrt(len(grams)) if grams else 0.0
    features = [_slot(f"word{number}", stem_word(word)) for number in range(SLOTS)]
    return (
        *((index, sign / math.sqrt(SLOTS)) for index, sign in features),
        *((index, share * sign) for index, sign in map(_gram_slot, grams)),
    )


def _gram_slot(gram: str) -> tuple[int, float]:
    return _slot("gram", gram)


@lru_cache(maxsize=65536)
def _slot(kind: str, feature: str) -> tuple[int, float]:
    """Return the dimension and sign of a feature; signs cancel collisions on average."""
    number = int.from_bytes(blake2b(feature.encode(), digest_size=8, person=kind.encode()).digest())
    return (number >> 1) % DIMENSIONS, 1.0 if number & 1 else -1.0
