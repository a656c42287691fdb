"""BM25 of bm25s in a separate process: `PYTHON benchmarks/rival_ranking.py FOLDER LANGUAGE`.

Runs under a Python that has `bm25s` and `PyStemmer`, and imports nothing from this project. FOLDER contains a dataset
in the BEIR format. Prints a JSON object with the ten best passages of each question. Title and text are one passage,
in lower case; words are reduced by the language's Snowball stemmer, if it has one. Languages without reliable spaces
between words are indexed by pairs of characters, like Lucene's CJK analyzer.
"""

import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from pathlib import Path

DEPTH = 10
BIGRAM_LANGUAGES = frozenset({"ja", "ko", "th", "zh"})
STEMMERS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch",
    "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
Tokenizer = Callable[[str], list[str]]


def split_words(text: str) -> list[str]:
    """Return the runs of letters, marks and digits in lower case."""
    runs = groupby(text.lower(), key=lambda letter: unicodedata.category(letter)[0] in "LMN")
    return ["".join(run) for is_word, run in runs if is_word]


def split_bigrams(text: str) -> list[str]:
    """Return the pairs of neighbouring characters; words in ASCII remain whole."""
    return [token for word in split_words(text) for token in _iter_bigrams(word)]


def _iter_bigrams(word: str) -> Iterator[str]:
    for is_ascii, group in groupby(word, key=str.isascii):
        run = "".join(group)
        if is_ascii or len(run) == 1:
            yield run
        else:
            yield from map("".join, pairwise(run))


def get_tokenizer(language: str) -> Tokenizer:
    """Return the function that splits a text of the language into terms."""
    if language in BIGRAM_LANGUAGES:
        return split_bigrams
    if language not in STEMMERS:
        return split_words
    import Stemmer

    stemmer = Stemmer.Stemmer(STEMMERS[language])
    return lambda text: list(stemmer.stemWords(split_words(text)))


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def rank_passages(folder: Path, tokenize: Tokenizer) -> dict[str, list[str]]:
    """Return the ids of the best passages of each question that has at least one known term."""
    import bm25s

    passages, questions = read_rows(folder / "corpus.jsonl"), read_rows(folder / "queries.jsonl")
    index = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    index.index([tokenize(f"{row.get('title', '')}\n{row['text']}") for row in passages], show_progress=False)
    rankings = {}
    for row in questions:
        places, scores = index.retrieve(
            [tokenize(row["text"])], k=min(DEPTH, len(passages)), show_progress=False
        )
        found = zip(places[0], scores[0], strict=True)
        rankings[str(row["_id"])] = [str(passages[place]["_id"]) for place, score in found if score > 0]
    return rankings


def main(arguments: list[str]) -> int:
    """Print the rankings."""
    folder, language = arguments
    print(json.dumps(rank_passages(Path(folder), get_tokenizer(language))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
