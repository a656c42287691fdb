"""Extractive answers: quotes of the best matching sentences of retrieved passages.

No language model is involved, so every quote is an exact substring of a passage. A sentence is scored by how much of
the question it covers, with each word weighted by its rarity in the passages; words in neighbouring sentences and
headings count less. If the best sentences leave too much of the question uncovered, the question is declined.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from knowledge.sentences import split_sentences
from knowledge.stemming import STOP_WORDS, WEAK_WORDS, split_words, stem_word

if TYPE_CHECKING:
    pass

NOTHING_FOUND = "I found nothing about this in the knowledge I was given."
NO_QUESTION = "I could not find a question in that. What would you like to know?"
MAX_QUOTES = 3
MIN_COVERAGE = 0.6
MIN_WINDOW, MIN_PASSAGE_COVERAGE = 0.4, 0.7
MIN_SENTENCE_COVERAGE = 0.25
NEAR, HEADING, PAIR = 0.5, 0.6, 0.15
FURTHER_QUOTE = 0.7
WEAK = 0.25
UNFIT = 0.3
# Headings, table rows and code fences make poor quotes without the text that follows them.
_OUTLINE = re.compile(r"\s*(?:#{1,6}\s|\||```|~~~)")
_ENDINGS = (".", "!", ".)", '."', ".`", ":", "。")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WEAK_STEMS = frozenset(map(stem_word, WEAK_WORDS))
_WRAPPING = re.compile(r"^(?:[rRuUbB]{0,2}(?:\"{3}|'{3})|[-*•#>|]+\s|\s)+|(?:\"{3}|'{3}|\s){1,40}+$")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """A retrieved chunk of a document; `context` is its heading path, a higher `score` is closer."""

    id: str
    document_title: str
    text: str
    score: float = 0.0
    context: str = ""
    page: int | None = None

    @classmethod
    def from_mapping(cls, row: Mapping[str, Any]) -> Self:
        """Build a passage from the search tool's JSON; only `text` is required."""
        title = str(row.get("title") or row.get("document") or "")
        score, page = row.get("score") or 0.0, row.get("page")
        return cls(
            str(row.get("id", "")), title, str(row["text"]), float(score), str(row.get("context") or ""), page
        )


@dataclass(frozen=True, slots=True)
class ExtractiveCitation:
    """The source of a quote, which is an exact substring of `passages[passage].text`."""

    passage: int
    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class ExtractiveAnswer:
    """An answer; the marker [n] in `text` refers to `passages[n - 1]`. Without a match, `citations` is empty."""

    text: str
    citations: list[ExtractiveCitation] = field(default_factory=list)
    found: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    passage: int
    order: int
    text: str
    terms: frozenset[str]
    coverage: float
    window: float
    whole: float
    score: float


def answer_question(question: str, passages: Sequence[RetrievedPassage]) -> ExtractiveAnswer:
    """Quote up to three sentences that answer the question, or decline."""
    terms = _terms(question)
    if not terms:
        return ExtractiveAnswer(NO_QUESTION)
    ranked = _rank_candidates(question, terms, passages)
    if not ranked:
        return ExtractiveAnswer(NOTHING_FOUND)
    chosen = _choose_quotes(ranked)
    citations = [ExtractiveCitation(c.passage, passages[c.passage].document_title, c.text) for c in chosen]
    lines = [f"{_format_quote(citation.quote)} [{citation.passage + 1}]" for citation in citations]
    return ExtractiveAnswer("\n\n".join(lines), citations, found=True)


def _stems(text: str) -> list[str]:
    stems = (stem_word(word) for word in split_words(text) if word not in STOP_WORDS)
    return [word for word in stems if word not in STOP_WORDS]


def _terms(text: str) -> frozenset[str]:
    return frozenset(_stems(text))


def _terms_of_passage(text: str) -> frozenset[str]:
    """Return the terms, including the parts of camelCase names."""
    return _terms(f"{text} {_CAMEL.sub(' ', text)}" if _CAMEL.search(text) else text)


def _pairs(text: str) -> frozenset[tuple[str, str]]:
    return frozenset(pairwise(_stems(text)))


def _weights(terms: frozenset[str], passages: Sequence[RetrievedPassage]) -> dict[str, float]:
    """Return the weight of each question term: high if rare in the passages, low if vague."""
    seen = [_terms_of_passage(f"{p.document_title} {p.context} {p.text}") for p in passages]
    counts = {term: sum(term in found for found in seen) for term in terms}
    rarity = {term: math.log(1 + (len(seen) + 1) / (max(count, 1) + 0.5)) for term, count in counts.items()}
    return {term: WEAK if term in _WEAK_STEMS else value for term, value in rarity.items()}


def _rank_candidates(
    question: str, terms: frozenset[str], passages: Sequence[RetrievedPassage]
) -> list[_Candidate]:
    """Return every sentence good enough to quote, best first."""
    weights = _weights(terms, passages)
    total = sum(weights.values())
    shares = {term: weight / total for term, weight in weights.items()}
    pairs = _pairs(question)
    candidates = [
        candidate
        for number, passage in enumerate(passages)
        for candidate in _candidates(number, passage, shares, pairs)
        if _fits(candidate)
    ]
    return sorted(candidates, key=lambda candidate: -candidate.score)


def _fits(candidate: _Candidate) -> bool:
    """Return whether the sentence and its surroundings cover enough of the question."""
    if candidate.coverage < MIN_SENTENCE_COVERAGE:
        return False
    near = candidate.window >= MIN_COVERAGE
    return near or (candidate.window >= MIN_WINDOW and candidate.whole >= MIN_PASSAGE_COVERAGE)


def _candidates(
    number: int, passage: RetrievedPassage, shares: dict[str, float], pairs: frozenset[tuple[str, str]]
) -> list[_Candidate]:
    raw = [span.text for span in split_sentences(passage.text)]
    sentences = [_WRAPPING.sub("", text) or text for text in raw]
    sentence_terms = [_terms_of_passage(sentence) & shares.keys() for sentence in sentences]
    heading = _terms_of_passage(f"{passage.document_title} {passage.context}") & shares.keys()
    whole = _sum(heading.union(*sentence_terms), shares)
    candidates = []
    for at, (sentence, own) in enumerate(zip(sentences, sentence_terms, strict=True)):
        near = frozenset().union(*sentence_terms[max(0, at - 1) : at + 2]) - own
        coverage = _sum(own, shares)
        around = NEAR * _sum(near, shares) + HEADING * _sum(heading - own - near, shares)
        bonus = PAIR * len(pairs & _pairs(sentence)) + 0.1 / (number + 1)
        score = (coverage + around + bonus) * _fitness(sentence) * (UNFIT if _OUTLINE.match(raw[at]) else 1.0)
        window = coverage + _sum(near, shares) + HEADING * _sum(heading - own - near, shares)
        candidates.append(_Candidate(number, at, sentence, own, coverage, window, whole, score))
    return candidates


def _sum(terms: frozenset[str], shares: dict[str, float]) -> float:
    return sum(shares[term] for term in terms)


def _fitness(sentence: str) -> float:
    """Return the quality of a sentence as a quote; headings, fragments and questions score below 1."""
    count = len(sentence.split())
    if count < 4:
        return UNFIT
    fitness = 0.5 if sentence.endswith("?") else 1.0 if sentence.endswith(_ENDINGS) else 0.85
    fitness *= min(1.0, 80 / count) * (0.8 if sentence[0].islower() else 1.0)
    letters = len(_LETTER.findall(sentence)) / len(sentence)
    return fitness * (0.6 if letters < 0.6 else 1.0)


def _choose_quotes(ranked: list[_Candidate]) -> list[_Candidate]:
    """Return the best sentence and near-equal ones, without duplicates."""
    chosen: list[_Candidate] = []
    for candidate in ranked:
        if len(chosen) == MAX_QUOTES or candidate.score < FURTHER_QUOTE * ranked[0].score:
            break
        quoted = {" ".join(split_words(other.text)) for other in chosen}
        if " ".join(split_words(candidate.text)) not in quoted:
            chosen.append(candidate)
    return chosen


def _format_quote(quote: str) -> str:
    """Join the wrapped lines of a quote; keep code blocks unchanged."""
    return quote if quote.startswith(("```", "~~~", ">>>")) else " ".join(quote.split())
