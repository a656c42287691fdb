"""Matching of the terms of a question with sentences, by stem, beginning or part of a word."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from knowledge.languages import detect_language
from knowledge.sentences import split_sentences
from knowledge.terms import PREFIXING, Term, fold_word, normalize_text, split_terms, split_words, stem_word

# Strength of a match of words that share their beginning, one of which contains the other, as in compounds, or that
# have a similar form.
BEGINNING, PART, FORM = 0.6, 0.5, 0.5
MIN_BEGINNING, BEGINNING_SHARE = 4, 0.5
MIN_PART = 5
# Share of groups of three letters, or of the beginning, that words of a similar form have in common.
MIN_SIMILARITY, GROUP = 0.4, 3
# Shorter stems of different words are often equal by chance.
MIN_STEM = 4
# Letters that words must share at their beginning before their stems are compared.
INDEXED = 2
# Words with fewer letters say less about the topic.
MIN_LENGTH, SHORT = 5, 0.8
# Weights of terms that no passage contains. Missing names say most, missing n-grams may cross a word border.
MISSING_NAME, MISSING_WORD, MISSING_GRAM = 1.9, 0.82, 0.6
# Words of a question's sentences that only explain it.
EXPLANATION = 0.7
QUESTION_MARKS = ("?", "？", "؟", "՞", "፧", ";")
# Weight of the terms that an answer to a long question must cover; a short question has about 1 for each term.
MAX_WEIGHT = 8.5
# Minimum probability of the language of a question; below it, the language of the passages is more reliable.
MIN_PROBABILITY = 0.6
_DETECTED = 300
_SIMILAR = (
    {"zh", "ja"},
    {"da", "no", "sv"},
    {"cs", "sk"},
    {"hr", "sr", "sl"},
    {"id", "ms"},
    {"ru", "uk", "bg"},
)
_NAME = re.compile(r"[^\W_]+")
_KANA = re.compile("[\u3041-\u30ff]")

Matches = dict[int, float]


def detect_answer_language(question: str, passages: Sequence[str]) -> str:
    """Return the language of the answer: the question's, or the passages' if the question is too short to tell."""
    found = detect_language(question, min_score=MIN_PROBABILITY)
    # The language of a short question is easily confused with a similar one.
    if found and not any(found in group for group in _SIMILAR):
        return found
    around = detect_language(" ".join(text[:_DETECTED] for text in passages[:3]))
    if not found:
        return around or detect_language(question)
    similar = any({found, around} <= group for group in _SIMILAR)
    return around if similar and not _KANA.search(question) else found


class QuestionMatcher:
    """Finds the terms of a question in sentences. Terms that occur twice have the weight 0 the second time.

    Args:
        similar_forms: Whether words also match by letters that they have in common, which is less certain.
    """

    def __init__(self, question: str, language: str, *, similar_forms: bool = False) -> None:
        self.language = language
        self.terms = _remove_repetitions(split_terms(question, language))
        self.asked = _find_asked_stems(question, language)
        self._words = [(at, term) for at, term in enumerate(self.terms) if not term.is_gram and term.weight]
        self._grams = [(at, term.stem) for at, term in enumerate(self.terms) if term.is_gram and term.weight]
        self._by_beginning: dict[str, list[tuple[int, Term]]] = {}
        for at, term in self._words:
            self._by_beginning.setdefault(term.text[:INDEXED], []).append((at, term))
        self._groups = [
            (at, term.text, _split_groups(term.text))
            for at, term in self._words
            if similar_forms and not term.text.isdecimal()
        ]
        self._known: dict[str, Matches] = {}

    def match(self, text: str) -> Matches:
        """Return the strength, up to 1, of each term of the question that occurs in `text`."""
        text = normalize_text(text, self.language)
        return self.match_words(text, split_words(text))

    def match_words(self, text: str, tokens: Iterable[str]) -> Matches:
        """Return the same as `match` for a normalized text that is split already."""
        found: Matches = {at: 1.0 for at, gram in self._grams if gram in text}
        if self._words:
            known = self._known
            for word in tokens:
                matches = known.get(word)
                if matches is None:
                    matches = known[word] = self._match_word(word)
                for at, strength in matches.items():
                    if strength > found.get(at, 0.0):
                        found[at] = strength
        return found

    def _match_word(self, word: str) -> Matches:
        folded = fold_word(word, self.language)
        found: Matches = self._match_form(folded)
        if len(folded) >= MIN_STEM:
            for at, term in self._words:
                if (len(term.stem) >= MIN_PART and term.stem in folded) or (
                    len(folded) >= MIN_PART and folded in term.text
                ):
                    found[at] = PART
        is_prefixing = self.language in PREFIXING
        similar = self._words if is_prefixing else self._by_beginning.get(folded[:INDEXED], ())
        for at, term in similar:
            strength = 1.0 if folded == term.text else self._compare_stems(word, folded, term)
            if strength > found.get(at, 0.0):
                found[at] = strength
        return found

    def _match_form(self, folded: str) -> Matches:
        """Match words of a similar form, such as inflected words of languages without a stemmer."""
        if folded.isdecimal() or not self._groups:
            return {}
        groups = _split_groups(folded)
        return {
            at: FORM
            for at, text, others in self._groups
            if 2 * len(groups & others) >= MIN_SIMILARITY * (len(groups) + len(others))
            or (
                text[:GROUP] == folded[:GROUP]
                and _count_shared(folded, text) >= MIN_SIMILARITY * max(len(folded), len(text))
            )
        }

    def _compare_stems(self, word: str, folded: str, term: Term) -> float:
        stem = stem_word(word, self.language)
        if stem == term.stem:
            return 1.0 if len(stem) >= MIN_STEM else BEGINNING
        shared = _count_shared(folded, term.text)
        is_similar = shared >= MIN_BEGINNING and shared >= BEGINNING_SHARE * max(len(stem), len(term.stem))
        return BEGINNING if is_similar else 0.0

    def compute_shares(
        self, counts: dict[int, int], passages: int, names: frozenset[str]
    ) -> dict[int, float]:
        """Return the weight of each term as a share of all, by its rarity in the passages.

        Args:
            counts: Number of passages that contain a term.
            passages: Number of passages.
            names: Capitalized words and numbers of the question.
        """
        weights = {}
        for at, term in enumerate(self.terms):
            count = counts.get(at, 0)
            weight = term.weight * math.log(1 + (passages + 1) / (max(count, 1) + 0.5))
            if not count:
                weight *= (
                    MISSING_GRAM if term.is_gram else MISSING_NAME if term.text in names else MISSING_WORD
                )
            if self.asked and term.stem not in self.asked:
                weight *= EXPLANATION
            weights[at] = weight * (SHORT if len(term.text) < MIN_LENGTH and not term.is_gram else 1.0)
        total = min(sum(weights.values()), MAX_WEIGHT)
        return {at: weight / total for at, weight in weights.items() if weight}


def _split_groups(word: str) -> frozenset[str]:
    """Return the groups of three letters of a word with its borders."""
    bordered = f" {word} "
    return frozenset(bordered[at : at + GROUP] for at in range(len(bordered) - GROUP + 1))


def _find_asked_stems(question: str, language: str) -> frozenset[str]:
    """Return the stems of the sentences that end with a question mark, if others explain them."""
    sentences = [span.text for span in split_sentences(question)]
    asked = [text for text in sentences if text.rstrip('"”»)').endswith(QUESTION_MARKS)]
    if len(asked) == len(sentences):
        return frozenset()
    return frozenset(term.stem for text in asked for term in split_terms(text, language))


def _remove_repetitions(terms: list[Term]) -> list[Term]:
    seen: set[str] = set()
    unique = []
    for term in terms:
        unique.append(replace(term, weight=0.0) if term.stem in seen else term)
        seen.add(term.stem)
    return unique


def merge_matches(first: Matches, second: Matches) -> Matches:
    """Return the better match of each term."""
    return {at: max(first.get(at, 0.0), second.get(at, 0.0)) for at in first.keys() | second.keys()}


def find_names(question: str, language: str) -> frozenset[str]:
    """Return the numbers of a question and its words that are capitalized within a sentence.

    German capitalizes all nouns, and titles capitalize most words, so these have no names.
    """
    found: set[str] = set()
    for sentence in split_sentences(question):
        tokens = _NAME.findall(sentence.text)
        names = [each for each in tokens[1:] if each[0].isupper()]
        if language != "de" and 2 * len(names) <= len(tokens):
            found.update(names)
        found.update(each for each in tokens if each.isdecimal())
    return frozenset(fold_word(name.lower(), language) for name in found)


def _count_shared(first: str, second: str) -> int:
    for at, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return at
    return min(len(first), len(second))
