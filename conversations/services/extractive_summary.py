"""Extractive session summaries without a model: key sentences, topics and open tasks.

The score of a sentence is the frequency of its stems in the whole session, divided by the square root of its length,
as in the frequency summaries of Luhn (IBM Journal, 1958). Every sentence of a summary is quoted from the session.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from conversations.choices import ComplexityLevel, MessageRole, MessageStatus, ResolutionStatus
from knowledge.sentences import split_sentences
from knowledge.stemming import STOP_WORDS, WEAK_WORDS, split_words, stem_word

SENTENCES, SUMMARY_LENGTH = 3, 1200
TOPICS, KEYWORDS, MAX_LISTED, LISTED_LENGTH = 5, 12, 10, 300
_EMPTY = STOP_WORDS | WEAK_WORDS
_DECISION = re.compile(
    r"\b(decided?|agreed?|we(?:'ll| will)|let'?s (?:go|use|take)|settled on)\b", re.IGNORECASE
)
_OPEN_POINT = re.compile(
    r"\b(to[- ]?do|next steps?|follow[- ]?up|remind me|still (?:need|have) to|later)\b", re.IGNORECASE
)
EASY_MESSAGES, HARD_MESSAGES, HARD_TOOLS = 4, 20, 5


@dataclass(frozen=True, slots=True)
class SummaryMessage:
    """One message of a session."""

    role: str
    content: str
    status: str


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """Summary of a session; `model` is empty for extractive summaries."""

    summary: str
    title: str = ""
    domain: str = ""
    topics: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    preferences: dict[str, str] = field(default_factory=dict)
    keywords: list[str] = field(default_factory=list)
    complexity: str = ComplexityLevel.MEDIUM
    resolution: str = ResolutionStatus.COMPLETED
    follow_ups: list[str] = field(default_factory=list)
    model: str = ""


def summarize_messages(
    messages: Sequence[SummaryMessage], *, message_count: int, tools: int
) -> ConversationSummary:
    """Summarize a session without a model.

    Args:
        messages: the messages in order, or only the first and last ones.
        message_count: total number of messages.
        tools: number of tool calls.
    """
    sentences = [(each, span.text) for each in messages for span in split_sentences(each.content)]
    counts: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for _, text in sentences:
        for word in split_words(text):
            if word not in _EMPTY and len(word) > 2 and not word.isdecimal():
                counts[stem_word(word)] += 1
                shown.setdefault(stem_word(word), word)
    ranked = [shown[each] for each, _ in counts.most_common(KEYWORDS)]
    follow_ups = _matching(sentences, _OPEN_POINT)
    return ConversationSummary(
        summary=_summary(sentences, counts),
        topics=ranked[:TOPICS],
        keywords=ranked,
        decisions=_matching(sentences, _DECISION),
        follow_ups=follow_ups,
        complexity=_complexity(message_count, tools),
        resolution=_resolution(messages, has_loose_ends=bool(follow_ups)),
    )


def _summary(sentences: Sequence[tuple[SummaryMessage, str]], counts: Counter[str]) -> str:
    """Return the first question and the highest-scoring sentences of the answers, in order."""
    asked = next((text for each, text in sentences if each.role == MessageRole.USER), "")
    scored = []
    for place, (each, text) in enumerate(sentences):
        found = [stem_word(word) for word in split_words(text)]
        if each.role == MessageRole.ASSISTANT and found:
            scored.append((-sum(counts[term] for term in found) / len(found) ** 0.5, place, text))
    best = sorted(sorted(scored)[:SENTENCES], key=lambda row: row[1])
    parts = list(dict.fromkeys([asked, *(text for _, _, text in best)]))
    return " ".join(" ".join(part.split()) for part in parts if part)[:SUMMARY_LENGTH]


def _matching(sentences: Sequence[tuple[SummaryMessage, str]], pattern: re.Pattern[str]) -> list[str]:
    found = dict.fromkeys(" ".join(text.split()) for _, text in sentences if pattern.search(text))
    return [text[:LISTED_LENGTH] for text in list(found)[:MAX_LISTED]]


def _complexity(message_count: int, tools: int) -> str:
    if message_count >= HARD_MESSAGES or tools >= HARD_TOOLS:
        return ComplexityLevel.HIGH
    return ComplexityLevel.LOW if message_count <= EASY_MESSAGES and tools <= 1 else ComplexityLevel.MEDIUM


def _resolution(messages: Sequence[SummaryMessage], *, has_loose_ends: bool) -> str:
    last = messages[-1]
    if last.status == MessageStatus.FAILED:
        return ResolutionStatus.UNRESOLVED
    if last.role == MessageRole.USER:
        return ResolutionStatus.ABANDONED
    unfinished = has_loose_ends or last.status == MessageStatus.AWAITING_APPROVAL
    return ResolutionStatus.PARTIAL if unfinished else ResolutionStatus.COMPLETED
