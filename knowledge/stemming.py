"""Tokenization, light stemming and stop words of the lexical embedder and extractive model."""

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_VOWELS = frozenset("aeiouyäöüéèàáíóú")
_SUFFIXES = ("ations", "ation", "ments", "ment", "ions", "ion", "ings", "ing", "edly", "ed", "ly", "ness")

STOP_WORDS = frozenset(
    (  # noqa: SIM905
        "a about above after again all also am an and any are as at be because been before being below "
        "between both but by can could did do does doing done down during each few for from further get "
        "gets give given gives had has have having he her here hers him his how i if in into is isn it "
        "its itself just know let like made make makes many may me might more most much must my no nor "
        "not now of off on once one only or other our out over own please same say says she should show "
        "so some such than that the their them then there these they this those through to too under "
        "until up us use used uses using very want was we were what when where whether which while who "
        "whom whose why will with within without would you your need needs thing things way ways kind "
        "sort does "
    ).split()
)
# Words with little information about the topic of a question, weighted lower.
WEAK_WORDS = frozenset(
    (  # noqa: SIM905
        "able add allow answer apply area ask automatic automatically available based begin best big call "
        "called case cause change check choose class code come command compute convert correct create "
        "current data decide default define delete describe detail different easy end entire example "
        "exist explain fact fast file find first follow full function general go good great group handle "
        "happen have help include info information item keep kind know large last learn left level list "
        "long look main mean method module name new number object open option order output own part "
        "people perform place point possible program provide purpose put raise reach read really reason "
        "recommend remove result return right run see send set several show side simple single small "
        "something special specific start state step stop support take tell term text thing time turn "
        "type understand usage user value various version way whether whole work world write wrong year "
    ).split()
)


def split_words(text: str) -> list[str]:
    """Split `text` into lower-case words without accents, splitting `snake_case`."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


@lru_cache(maxsize=65536)
def stem_word(word: str) -> str:
    """Strip English plural and verb endings, so that "installing" matches "installation"."""
    word = word.partition("'")[0]
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "xes", "ches", "shes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return _strip_suffix(word)


def _strip_suffix(word: str) -> str:
    for suffix in _SUFFIXES:
        rest = word[: -len(suffix)]
        if word.endswith(suffix) and len(rest) >= 3 and _VOWELS & set(rest):
            word = rest[:-1] if len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "lsz" else rest
            break
    if word.endswith("y") and len(word) > 3:
        return word[:-1] + "i"
    return _normalize_spelling(word[:-1] if word.endswith("e") and len(word) > 4 else word)


def _normalize_spelling(stemmed: str) -> str:
    """Normalize British to American spelling ("colour", "organise")."""
    if len(stemmed) > 5 and stemmed.endswith("our"):
        return stemmed[:-3] + "or"
    return (
        stemmed[:-1] + "z"
        if len(stemmed) > 5 and stemmed.endswith(("alis", "anis", "eris", "imis"))
        else stemmed
    )
