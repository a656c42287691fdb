"""Terms of texts in any language: words with their stems, and character n-grams of scripts without spaces.

Words are stemmed by the Snowball algorithm of the language. Chinese, Japanese, Thai, Lao, Khmer and Burmese write no
spaces between words, so their terms are overlapping groups of characters; Korean words lose their particle and are
split in the same way. Function words have a low weight.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from knowledge.function_words import FUNCTION_WORDS, PARTICLES, PHRASES
from knowledge.languages import STEMMERS
from knowledge.stemming import STOP_WORDS, WEAK_WORDS

# Languages whose stemmers remove prefixes, so that a word and its stem may begin differently.
PREFIXING = frozenset({"ar", "fa", "ga", "id"})
# Weights of n-grams by their length; words have several.
GRAM_WEIGHTS = {2: 0.5, 3: 0.25}
WEAK_WEIGHT = 0.6
_SEA = "\u0e00-\u0e3e\u0e40-\u0eff\u1000-\u109f\u1780-\u17d3\u17dc-\u17e9"
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
_HAN = "\u3005-\u3007\u3041-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED = f"{_KATAKANA}{_HAN}{_SEA}"
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u0900-\u0963\u0971-\u0df3\u0f71-\u0f84"
)
_TOKEN = re.compile(
    f"(?P<pairs>[{_HAN}]+)|(?P<triples>[{_KATAKANA}]+|[{_SEA}]+)|(?:(?![{_UNSPACED}])[^\\W_]|[{_MARKS}])+"
)
_ASCII_TOKEN = re.compile(r"[a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_HIRAGANA = re.compile("[\u3041-\u309f]+|[^\u3041-\u309f]+")
_IGNORED = re.compile("[\u00ad\u200c\u200d\u0640]")
_APOSTROPHE = re.compile("['’ʼ]")
# Letters without a decomposition.
_FOLDED = str.maketrans({"ß": "ss", "ı": "i", "ς": "σ", "ø": "o", "ł": "l", "æ": "ae", "đ": "d"})
# Endings that are removed from a Korean word, such as those of "언제까지인가요".
MAX_ENDINGS = 2
_NO_FOLDING = frozenset({"vi"})


@dataclass(frozen=True, slots=True)
class Term:
    """A word or n-gram of a text; `stem` is what is compared, `weight` is low for function words."""

    text: str
    stem: str
    weight: float = 1.0
    is_gram: bool = False


def split_terms(text: str, language: str) -> list[Term]:
    """Return the terms of `text` in order, with the analysis of `language`."""
    return list(_iter_terms(normalize_text(text, language), language))


def split_words(text: str) -> list[str]:
    """Split normalized text into words and runs of characters without spaces."""
    return _ASCII_TOKEN.findall(text) if text.isascii() else [match[0] for match in _TOKEN.finditer(text)]


def normalize_text(text: str, language: str = "") -> str:
    """Return `text` in lower case, with the parts of camelCase names and compatible characters replaced."""
    if _CAMEL.search(text):
        text = f"{text} {_CAMEL.sub(' ', text)}"
    if text.isascii():
        return text.lower()
    text = _IGNORED.sub(lambda found: " " if language == "fa" and found[0] == "\u200c" else "", text)
    text = unicodedata.normalize("NFKC", text).lower().replace("i\u0307", "i")
    return _APOSTROPHE.sub("", text) if language in ("be", "uk") else text


def _iter_terms(text: str, language: str) -> Iterator[Term]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup:
            yield from _iter_grams(match[0], language, 2 if match.lastgroup == "pairs" else 3)
        elif "\uac00" <= match[0][0] <= "\ud7a3":
            yield from _iter_syllables(match[0])
        else:
            yield analyze_word(match[0], language)


@lru_cache(maxsize=16384)
def analyze_word(word: str, language: str) -> Term:
    """Return the term of a word in lower case."""
    return Term(fold_word(word, language), stem_word(word, language), weigh_word(word, language))


@lru_cache(maxsize=65536)
def stem_word(word: str, language: str) -> str:
    """Return the stem of a word in lower case, without accents."""
    factory = _get_stemmer(language)
    if factory is None or word.isdecimal():
        return fold_word(word, language)
    # Stemmers have state, so that threads must not share one.
    stem = factory().stemWord(word)
    return fold_word(stem, language) or fold_word(word, language)


def fold_word(word: str, language: str) -> str:
    """Remove accents from Latin, Greek, Cyrillic, Arabic and Hebrew letters, where they rarely change the meaning."""
    if (
        word.isascii()
        or language in _NO_FOLDING
        or not (word[0] < "\u0780" or "\u1e00" <= word[0] < "\u2000")
    ):
        return word
    decomposed = unicodedata.normalize("NFKD", word)
    folded = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return folded.translate(_FOLDED) or word


def fold_text(text: str, language: str) -> str:
    """Remove accents from the words of `text`."""
    return text if text.isascii() else _TOKEN.sub(lambda found: fold_word(found[0], language), text)


def weigh_word(word: str, language: str) -> float:
    """Return the weight of a word in lower case: 1, or less for a word with little information."""
    if fold_word(word, language) in list_function_words(language) or (len(word) == 1 and word.isalpha()):
        return 0.0
    return WEAK_WEIGHT if language == "en" and stem_word(word, "en") in _get_weak_stems() else 1.0


@cache
def list_function_words(language: str) -> frozenset[str]:
    """Return the function words of a language, without accents."""
    words = FUNCTION_WORDS.get(language, "").split()
    if language == "en":
        return STOP_WORDS.union(words)
    from stop_words import LANGUAGE_MAPPING, get_stop_words

    listed = get_stop_words(language) if language in LANGUAGE_MAPPING else []
    words += (normalize_text(each, language).strip("\"', ") for each in listed)
    return frozenset(fold_word(each, language) for each in filter(None, words))


@cache
def _get_weak_stems() -> frozenset[str]:
    return frozenset(stem_word(word, "en") for word in WEAK_WORDS)


@cache
def _get_stemmer(language: str) -> Any:
    name = STEMMERS.get(language)
    if name is None:
        return None
    module = import_module(f"snowballstemmer.{name}_stemmer")
    return getattr(module, f"{name.capitalize()}Stemmer")


def _iter_grams(run: str, language: str, size: int) -> Iterator[Term]:
    """Yield the n-grams of the parts of a run between function words.

    Hiragana is split from kanji, because it mostly contains endings.
    """
    pattern = _compile_phrases(language)
    for part in pattern.split(run) if pattern else [run]:
        for piece in _HIRAGANA.findall(part):
            is_hiragana = "\u3041" <= piece[0] <= "\u309f"
            if not is_hiragana or len(piece) >= 3:
                yield from _split_grams(piece, 3 if is_hiragana else size)


def _split_grams(piece: str, size: int) -> Iterator[Term]:
    weight = GRAM_WEIGHTS[size]
    if 1 < len(piece) < size or (len(piece) == 1 and size == 2):
        yield Term(piece, piece, weight / 2, is_gram=True)
    for at in range(len(piece) - size + 1):
        yield Term(piece[at : at + size], piece[at : at + size], weight, is_gram=True)


@cache
def _compile_phrases(language: str) -> re.Pattern[str] | None:
    phrases = sorted(PHRASES.get(language, "").split(), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, phrases))) if phrases else None


@cache
def _list_particles() -> list[str]:
    return sorted(PARTICLES.split(), key=len, reverse=True)


def _iter_syllables(word: str) -> Iterator[Term]:
    """Yield pairs of syllables of a Korean word without its endings."""
    listed = list_function_words("ko")
    stem = word
    for _ in range(MAX_ENDINGS):
        ending = next((each for each in _list_particles() if stem.endswith(each)), "")
        if word in listed or not ending or len(stem) < len(ending) + 2:
            break
        stem = stem[: -len(ending)]
    weight = 0.0 if word in listed or stem in listed else GRAM_WEIGHTS[2]
    if len(stem) == 1:
        yield Term(stem, stem, weight / 2, is_gram=True)
    for at in range(len(stem) - 1):
        yield Term(stem[at : at + 2], stem[at : at + 2], weight, is_gram=True)
