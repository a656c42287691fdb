"""Rule-based enrichment of chunks: keywords, entities, summary and category.

Keywords are selected by tf-idf within the document. The summary is the sentence with the highest keyword weight.
Entities are matched by patterns: addresses, dates, amounts, acronyms and names of several capitalised words.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.sentences import split_sentences
from knowledge.stemming import STOP_WORDS, split_words, stem_word

MAX_KEYWORDS, MAX_ENTITIES, MAX_SUMMARY = 8, 20, 300
_NAME = re.compile(
    r"(?<![.!?:]\s)(?<!^)\b[A-ZÄÖÜÉ][\w'’-]+(?:\s+(?:(?:of|de|von|van|der|the)\s*)?+[A-ZÄÖÜÉ][\w'’-]+)+",
    re.MULTILINE,
)
_ENTITIES = (
    ("email", re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+\b")),
    ("url", re.compile(r"\bhttps?://[^\s<>()\"'\]]{3,200}")),
    ("date", re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}\.\d{1,2}\.\d{4}\b|\b\d{1,2}/\d{1,2}/\d{4}\b")),
    ("money", re.compile(r"(?:[$€£]\s?\d[\d.,]{0,30}|\b\d[\d.,]{0,30}\s?(?:EUR|USD|GBP|CHF)\b)")),
    ("acronym", re.compile(r"\b[A-Z][A-Z0-9]{1,9}\b")),
    ("name", _NAME),
)
_TABLE = re.compile(r".*\S\s\|\s\S")
_ITEM = re.compile(r"\s*([-*+•–]\s+|\d{1,3}[.)]\s+)")
_CODE = re.compile(
    r"\s*(def |class |import |from \w+ import|return\b|[{}]|//|#include|@\w+|function |const |let |SELECT )|.*[;{}]\s*$"
)


@dataclass(frozen=True, slots=True)
class ChunkInsight:
    """Keywords, entities, summary and category of a chunk."""

    keywords: list[str]
    entities: list[dict[str, str]]
    summary: str
    category: str


def extract_insights(texts: Sequence[str]) -> list[ChunkInsight]:
    """Return the insights of a document's chunks, in order."""
    counts = [_count(text) for text in texts]
    spread = Counter(found for count in counts for found in count)
    return [_insight(text, count, spread, len(texts)) for text, count in zip(texts, counts, strict=True)]


def _count(text: str) -> Counter[str]:
    found = (
        word for word in split_words(text) if len(word) > 2 and word not in STOP_WORDS and not word.isdigit()
    )
    return Counter(found)


def _insight(text: str, count: Counter[str], spread: Counter[str], total: int) -> ChunkInsight:
    weights = {word: (1 + math.log(n)) * math.log(1 + total / spread[word]) for word, n in count.items()}
    return ChunkInsight(_keywords(weights), _entities(text), _summary(text, weights), classify_text(text))


def _keywords(weights: dict[str, float]) -> list[str]:
    """Return the words with the highest weights, one per stem."""
    chosen: dict[str, str] = {}
    for word in sorted(weights, key=lambda each: (-weights[each], each)):
        chosen.setdefault(stem_word(word), word)
        if len(chosen) == MAX_KEYWORDS:
            break
    return list(chosen.values())


def _entities(text: str) -> list[dict[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for kind, pattern in _ENTITIES:
        for match in pattern.finditer(text):
            found.setdefault((kind, " ".join(match[0].split())[:200]))
            if len(found) >= MAX_ENTITIES:
                break
    return [{"type": kind, "text": words_} for kind, words_ in found]


def _summary(text: str, weights: dict[str, float]) -> str:
    """Return the first sentence with the highest weight relative to its length."""
    best, best_score = "", -1.0
    for span in split_sentences(text)[:50]:
        held = split_words(span.text)
        if not 3 <= len(held) <= 80:
            continue
        score = sum(weights.get(word, 0.0) for word in set(held)) / math.sqrt(len(held))
        if score > best_score:
            best, best_score = span.text, score
    best = " ".join((best or text).split())
    return best if len(best) <= MAX_SUMMARY else best[: MAX_SUMMARY - 1].rstrip() + "…"


def classify_text(text: str) -> str:
    """Return the kind of most lines: `table`, `code`, `list` or `prose`."""
    lines = [line for line in text.splitlines() if line.strip()]
    for kind, pattern in (("table", _TABLE), ("code", _CODE), ("list", _ITEM)):
        if sum(bool(pattern.match(line)) for line in lines) * 2 > len(lines):
            return kind
    return "code" if text.lstrip().startswith(("```", "~~~")) else "prose"
