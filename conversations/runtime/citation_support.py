"""Check whether the passages that a sentence cites contain its words.

A statement is the sentence before one or more citation markers. It is supported if the cited passages contain at least
half of its content words, compared by stem in the language of the statement; numbers count double. The check finds
statements about something else. It does not find a statement that uses the words of a passage to say the opposite.
"""

import re
from collections.abc import Iterator, Sequence

from agents.runtime.question_matching import QuestionMatcher, merge_matches
from knowledge.languages import detect_language
from knowledge.sentences import split_sentences
from knowledge.services.search import FoundPassage

MIN_SUPPORT = 0.5
NUMBER_WEIGHT = 2.0
# Statements with fewer content words, such as "See [1]", say too little to be checked.
MIN_WEIGHT = 1.5
# Limits for long answers.
MAX_STATEMENTS, MAX_LENGTH = 100, 2000
_MARKERS = re.compile(r"(?<![\w)])(?:\[\d{1,3}\]\s?)+")
_NUMBER = re.compile(r"\d+")


def check_citations(content: str, cited: dict[int, FoundPassage]) -> dict[int, bool | None]:
    """Return whether the statements with each marker are supported; None if the check is impossible.

    Args:
        content: The answer.
        cited: The cited passages by the number of their marker.
    """
    supported: dict[int, bool | None] = dict.fromkeys(cited)
    for numbers, statement in _iter_statements(content):
        passages = [cited[number] for number in numbers if number in cited]
        if (result := is_supported(statement, passages)) is not None:
            for number in numbers & cited.keys():
                supported[number] = result and supported[number] is not False
    return supported


def _iter_statements(content: str) -> Iterator[tuple[set[int], str]]:
    """Yield the numbers of adjacent markers with the sentence before them."""
    begin = 0
    for count, marks in enumerate(_MARKERS.finditer(content)):
        if count == MAX_STATEMENTS:
            return
        before = content[max(begin, marks.start() - MAX_LENGTH) : marks.start()]
        begin = marks.end()
        if sentences := split_sentences(before.lstrip(" .,;:")):
            yield {int(number) for number in _NUMBER.findall(marks[0])}, sentences[-1].text


def is_supported(statement: str, passages: Sequence[FoundPassage]) -> bool | None:
    """Return whether the passages contain the words of the statement; None if too short or in other languages."""
    language = detect_language(statement)
    known = {detect_language(passage.text) for passage in passages}
    if not passages or (language and "" not in known and language not in known):
        return None
    matcher = QuestionMatcher(statement, language)
    weights = {
        at: term.weight * (NUMBER_WEIGHT if term.text.isdecimal() else 1.0)
        for at, term in enumerate(matcher.terms)
        if term.weight
    }
    found: dict[int, float] = {}
    for passage in passages:
        found = merge_matches(found, matcher.match(f"{passage.title} {passage.context} {passage.text}"))
    total = sum(weights.values())
    matched = sum(weight for at, weight in weights.items() if found.get(at))
    return matched >= MIN_SUPPORT * total if total >= MIN_WEIGHT else None
