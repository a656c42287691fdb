"""Extractive answers: quotes of the best matching sentences of retrieved passages, in any language.

No language model is involved, so every quote is an exact substring of a passage. A sentence is scored by how much of
the question it covers, with each word weighted by its rarity in the passages; words in neighbouring sentences and
headings count less. If the sentences around the best one leave too much of the question uncovered, the question is
declined. Questions for a quantity or price need a number in the answer.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from agents.runtime.answer_types import AnswerType, find_answer_type, find_numbers
from agents.runtime.question_matching import (
    PART,
    Matches,
    QuestionMatcher,
    detect_answer_language,
    find_names,
    merge_matches,
)
from agents.runtime.refusals import NO_QUESTION, NOTHING_FOUND, get_refusal
from agents.runtime.tables import find_headers
from knowledge.languages import detect_language
from knowledge.sentences import Span, split_sentences
from knowledge.terms import STEMMERS, normalize_text, split_words

__all__ = ["NOTHING_FOUND", "NO_QUESTION", "RetrievedPassage", "answer_question"]
MAX_QUOTES = 3
# Characters of a question that are read, as many as a search reads.
MAX_QUESTION = 4000
# Coverage that the sentences around the best one need, from 0 to 1.
MIN_COVERAGE = 0.56
# Coverage that they need without headings.
MIN_TEXT = 0.1
# Weight of words in the previous and next sentence and in headings, relative to words of the sentence.
PREVIOUS, NEXT, HEADING = 0.75, 0.2, 0.9
# Sentences before and after the best one whose words count for the decision.
REACH = 3
# Minimum score of further quotes, relative to the best, from the same passage and from others.
FURTHER_QUOTE, OTHER_PASSAGE = 0.5, 0.98
FIRST_PASSAGE = 0.18
# What a missing number costs in the decision, by the expected type of the answer.
MISSING_NUMBER = {AnswerType.QUANTITY: 0.15, AnswerType.PRICE: 0.8}
# What a number adds, and how much a number in the next or previous sentence counts.
NUMBER, NEAR_NUMBER = 0.04, 0.65
# What each covered word and the distance to the second-best passage add in the decision.
EVIDENCE, CONTRAST = 0.02, 0.2
# What the similarity of the passage by multilingual E5 adds in the decision, for each unit above the usual similarity.
SIMILARITY, USUAL_SIMILARITY = 5.0, 0.85
UNFIT = 0.3
# Characters of a passage from which its language is detected.
_DETECTED = 200
_OUTLINE = re.compile(r"\s*(?:#{1,6}\s|```|~~~|\|?\s*:?-{3})")
_ENDINGS = (".", "!", ".)", '."', ".`", ":", "。", "！", "।", "॥", "۔", "։", "።", "။", "”", "»", "」")
_QUESTIONS = ("?", "？", "؟", "՞", "፧")
_WRAPPING = re.compile(r"^(?:[rRuUbB]{0,2}(?:\"{3}|'{3})|[-*•#>|]+\s|\s)+|(?:\"{3}|'{3}|\s){1,40}+$")
_LETTER = re.compile(r"[^\W\d_]")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
# Characters of a word in text without spaces.
_WORD_LENGTH = 3


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """A retrieved chunk of a document; `context` is its heading path, a higher `score` is closer.

    `start` is its offset in the document, `similarity` its cosine similarity by multilingual E5, if known.
    """

    id: str
    document_title: str
    text: str
    score: float = 0.0
    context: str = ""
    page: int | None = None
    start: int | None = None
    similarity: float | None = None

    @classmethod
    def from_mapping(cls, row: Mapping[str, Any]) -> Self:
        """Build a passage from the search tool's JSON; only `text` is required."""
        title = str(row.get("title") or row.get("document") or "")
        score, page, start = row.get("score") or 0.0, row.get("page"), row.get("start")
        similarity = row.get("similarity")
        return cls(
            str(row.get("id", "")),
            title,
            str(row["text"]),
            float(score),
            str(row.get("context") or ""),
            page,
            start if isinstance(start, int) else None,
            similarity if isinstance(similarity, float) else None,
        )


@dataclass(frozen=True, slots=True)
class ExtractiveCitation:
    """The source of a quote: `passages[passage].text[start:end] == quote`.

    `header` is the header row of a quoted table row.
    """

    passage: int
    document: str
    quote: str
    start: int = 0
    end: int = 0
    header: str = ""


@dataclass(frozen=True, slots=True)
class ExtractiveAnswer:
    """An answer; the marker [n] in `text` refers to `passages[n - 1]`. Without a match, `citations` is empty."""

    text: str
    citations: list[ExtractiveCitation] = field(default_factory=list)
    found: bool = False
    language: str = ""


@dataclass(frozen=True, slots=True)
class _Sentence:
    start: int
    text: str
    header: str
    matches: Matches
    has_number: bool
    quality: float


@dataclass(frozen=True, slots=True)
class _Passage:
    number: int
    title: str
    heading: Matches
    sentences: list[_Sentence]
    similarity: float | None


@dataclass(frozen=True, slots=True)
class _Candidate:
    passage: _Passage
    position: int
    score: float

    @property
    def sentence(self) -> _Sentence:
        return self.passage.sentences[self.position]


def answer_question(question: str, passages: Sequence[RetrievedPassage]) -> ExtractiveAnswer:
    """Quote up to three sentences that answer the question, or decline in the language of the question."""
    question = question[:MAX_QUESTION]
    language = detect_answer_language(question, [passage.text for passage in passages])
    matcher = QuestionMatcher(question, language, similar_forms=True)
    if not any(term.weight for term in matcher.terms):
        return ExtractiveAnswer(get_refusal(NO_QUESTION, language), language=language)
    ranked = _Ranking(question, matcher, passages).rank()
    if not ranked:
        return ExtractiveAnswer(get_refusal(NOTHING_FOUND, language), language=language)
    citations = [_cite(candidate) for candidate in _choose_quotes(ranked)]
    lines = [f"{_format_quote(citation.quote)} [{citation.passage + 1}]" for citation in citations]
    return ExtractiveAnswer("\n\n".join(lines), citations, found=True, language=language)


def _cite(candidate: _Candidate) -> ExtractiveCitation:
    passage, sentence = candidate.passage, candidate.sentence
    end = sentence.start + len(sentence.text)
    return ExtractiveCitation(
        passage.number, passage.title, sentence.text, sentence.start, end, sentence.header
    )


class _Ranking:
    """Scores the sentences of passages by a question."""

    def __init__(self, question: str, matcher: QuestionMatcher, passages: Sequence[RetrievedPassage]) -> None:
        self.question, self.matcher, self.language = question, matcher, matcher.language
        self.kind = find_answer_type(question, self.language)
        text = normalize_text(question, self.language)
        self.numbers = find_numbers(text, split_words(text), self.language)
        self.matchers = {self.language: matcher}
        self.passages = [self._read(number, passage) for number, passage in enumerate(passages)]
        self.shares = self._compute_shares()

    def rank(self) -> list[_Candidate]:
        """Return the sentences, best first; none if the best one does not answer the question."""
        found = [each for passage in self.passages for each in self._score(passage)]
        found.sort(key=lambda candidate: -candidate.score)
        if not found or self._cover(found[0], headings=False) < MIN_TEXT:
            return []
        return found if self._rate(found) >= MIN_COVERAGE else []

    def _rate(self, ranked: list[_Candidate]) -> float:
        """Return how well the best sentence and those around it answer the question."""
        best = ranked[0]
        first = {candidate.passage.number: candidate for candidate in reversed(ranked)}
        covered = {number: self._cover(candidate) for number, candidate in first.items()}
        coverage = covered.pop(best.passage.number)
        contrast = CONTRAST * (coverage - max(covered.values(), default=0.0))
        matches = best.sentence.matches
        evidence = EVIDENCE * sum(self.matcher.terms[at].weight * matches.get(at, 0.0) for at in self.shares)
        return coverage + contrast + evidence + self._rate_numbers(best) + _rate_similarity(best)

    def _read(self, number: int, passage: RetrievedPassage) -> _Passage:
        language = _detect_language(passage.text[:_DETECTED])
        spans = split_sentences(passage.text)
        headers = find_headers(passage.text, spans)
        sentences = [self._read_sentence(span, headers.get(span.start, ""), language) for span in spans]
        heading, _ = self._match(f"{passage.document_title} {passage.context}", language)
        return _Passage(number, passage.document_title, heading, sentences, passage.similarity)

    def _read_sentence(self, span: Span, header: str, language: str) -> _Sentence:
        text = _WRAPPING.sub("", span.text) or span.text
        matches, numbers = self._match(text, language)
        if header:
            matches = merge_matches(matches, _scale(self._match(header, language)[0], HEADING))
        quality = _rate_quote(text) * (UNFIT if _OUTLINE.match(span.text) else 1.0)
        start = span.start + span.text.index(text)
        return _Sentence(start, text, header, matches, bool(numbers - self.numbers), quality)

    def _match(self, text: str, language: str) -> tuple[Matches, set[str]]:
        """Match with the analysis of the question's language, and of the passage's if it differs; find numbers."""
        text = normalize_text(text, self.language)
        words = set(split_words(text))
        matches, numbers = self.matcher.match_words(text, words), find_numbers(text, words, self.language)
        if language == self.language or language not in STEMMERS:
            return matches, numbers
        if language not in self.matchers:
            self.matchers[language] = QuestionMatcher(self.question, language, similar_forms=True)
        other = self.matchers[language]
        # Terms are compared by position, so both analyses must find the same words.
        if len(other.terms) == len(self.matcher.terms):
            matches = merge_matches(matches, other.match_words(text, words))
        return matches, numbers

    def _compute_shares(self) -> dict[int, float]:
        counts: Counter[int] = Counter()
        for passage in self.passages:
            found = {at for at, strength in passage.heading.items() if strength >= PART}
            for sentence in passage.sentences:
                found.update(at for at, strength in sentence.matches.items() if strength >= PART)
            counts.update(found)
        names = find_names(self.question, self.language)
        return self.matcher.compute_shares(counts, len(self.passages), names)

    def _score(self, passage: _Passage) -> Iterator[_Candidate]:
        empty: Matches = {}
        rows = [empty, *(sentence.matches for sentence in passage.sentences), empty]
        first = FIRST_PASSAGE / (passage.number + 1)
        for at, sentence in enumerate(passage.sentences, 1):
            previous, own, following = rows[at - 1 : at + 2]
            score = first
            for term, share in self.shares.items():
                score += share * max(
                    own.get(term, 0.0),
                    PREVIOUS * previous.get(term, 0.0),
                    NEXT * following.get(term, 0.0),
                    HEADING * passage.heading.get(term, 0.0),
                )
            yield _Candidate(passage, at - 1, score * sentence.quality)

    def _cover(self, candidate: _Candidate, *, headings: bool = True) -> float:
        """Return how much of the question the sentences around a candidate, and headings, cover."""
        passage, at = candidate.passage, candidate.position
        around = passage.heading if headings else {}
        for sentence in passage.sentences[max(0, at - REACH) : at + REACH + 1]:
            around = merge_matches(around, sentence.matches)
        return sum(self.shares.get(term, 0.0) * strength for term, strength in around.items())

    def _rate_numbers(self, best: _Candidate) -> float:
        """Return what the presence of a number in or beside the best sentence adds to its coverage."""
        if self.kind is AnswerType.OTHER:
            return 0.0
        near = best.passage.sentences[max(0, best.position - 1) : best.position + 2]
        is_near = any(sentence.has_number for sentence in near)
        found = 1.0 if best.sentence.has_number else NEAR_NUMBER if is_near else 0.0
        missing = MISSING_NUMBER.get(self.kind, 0.0)
        return (NUMBER + missing) * found - missing


def _rate_similarity(best: _Candidate) -> float:
    similarity = best.passage.similarity
    return 0.0 if similarity is None else SIMILARITY * (similarity - USUAL_SIMILARITY)


@lru_cache(maxsize=2048)
def _detect_language(text: str) -> str:
    return detect_language(text)


def _scale(matches: Matches, factor: float) -> Matches:
    return {at: factor * strength for at, strength in matches.items()}


def _rate_quote(sentence: str) -> float:
    """Return the quality of a sentence as a quote; headings, fragments and questions score below 1."""
    unspaced = 0 if sentence.isascii() else len(_UNSPACED.findall(sentence))
    count = len(sentence.split()) + unspaced / _WORD_LENGTH
    if count < 4:
        return UNFIT
    is_whole = sentence.endswith(_ENDINGS) or bool(_UNSPACED.match(sentence[-1]))
    quality = 0.5 if sentence.endswith(_QUESTIONS) else 1.0 if is_whole else 0.85
    quality *= min(1.0, 80 / count) * (0.8 if sentence[0].islower() else 1.0)
    is_code = sentence.isascii() and len(_LETTER.findall(sentence)) < 0.6 * len(sentence)
    return quality * (0.6 if is_code else 1.0)


def _choose_quotes(ranked: list[_Candidate]) -> list[_Candidate]:
    """Return the best sentence and near-equal ones, without duplicates."""
    chosen: list[_Candidate] = []
    quoted: set[str] = set()
    best = ranked[0]
    for candidate in ranked:
        share = FURTHER_QUOTE if candidate.passage is best.passage else OTHER_PASSAGE
        words = " ".join(split_words(candidate.sentence.text.lower()))
        if len(chosen) < MAX_QUOTES and candidate.score >= share * best.score and words not in quoted:
            chosen.append(candidate)
            quoted.add(words)
    return chosen


def _format_quote(quote: str) -> str:
    """Join the wrapped lines of a quote; keep code blocks unchanged."""
    return quote if quote.startswith(("```", "~~~", ">>>")) else " ".join(quote.split())
