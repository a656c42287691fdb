"""Loading of judged questions in BEIR or TREC format.

| form | passages | questions | judgements |
|---|---|---|---|
| BEIR | `corpus.jsonl` (`_id`, `title`, `text`) | `queries.jsonl` (`_id`, `text`) | `qrels/test.tsv`: three columns |
| TREC | `corpus.jsonl` | `queries.tsv`: query, text | `qrels.txt`: query, iteration, passage, grade |

BEIR judgements have the columns query, passage and grade below a header line.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DatasetError(Exception):
    """The folder is not a valid dataset; the message states the error and its location."""


@dataclass(frozen=True, slots=True)
class DatasetPassage:
    """A searchable passage of a dataset."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Passages, questions by id, and grades by question and passage."""

    name: str
    passages: list[DatasetPassage]
    queries: dict[str, str]
    judgements: dict[str, dict[str, int]]


def load_dataset(folder: Path) -> Dataset:
    """Read a dataset.

    Raises:
        DatasetError: If a file is missing or malformed, or a judgement references an unknown id.
    """
    passages = [
        DatasetPassage(str(row["_id"]), str(row.get("title", "")), str(row["text"]))
        for row in read_objects(folder / "corpus.jsonl", "_id", "text")
    ]
    beir = (folder / "queries.jsonl").exists()
    queries = _beir_queries(folder) if beir else _trec_queries(folder)
    judgements = _beir_judgements(folder) if beir else _trec_judgements(folder)
    _check_judgements(passages, queries, judgements)
    return Dataset(folder.name, passages, queries, judgements)


def _check_judgements(
    passages: list[DatasetPassage], queries: dict[str, str], judgements: dict[str, dict[str, int]]
) -> None:
    known = {passage.id for passage in passages}
    if missing := sorted(judgements.keys() - queries.keys()):
        raise DatasetError(f"judged questions are missing: {', '.join(missing[:3])}")
    if missing := sorted({each for grades in judgements.values() for each in grades} - known):
        raise DatasetError(f"judged passages are missing: {', '.join(missing[:3])}")
    if not judgements:
        raise DatasetError("there is no judgement")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path.name} cannot be read: {error}") from error
    return ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def read_objects(path: Path, *needed: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON Lines file, each with the needed names.

    Raises:
        DatasetError: If the file or a line is malformed.
    """
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DatasetError(f"{path.name}, line {number}: no JSON") from error
        if not isinstance(row, dict) or any(name not in row for name in needed):
            raise DatasetError(f"{path.name}, line {number}: needs {', '.join(needed)}")
        yield row


def _beir_queries(folder: Path) -> dict[str, str]:
    return {
        str(row["_id"]): str(row["text"]) for row in read_objects(folder / "queries.jsonl", "_id", "text")
    }


def _trec_queries(folder: Path) -> dict[str, str]:
    rows = (line.partition("\t") for _, line in _lines(folder / "queries.tsv"))
    return {identifier.strip(): text.strip() for identifier, _, text in rows}


def _beir_judgements(folder: Path) -> dict[str, dict[str, int]]:
    path = folder / "qrels" / "test.tsv"
    return _parse_grades(path, [(number, line.split("\t")) for number, line in _lines(path)][1:], columns=3)


def _trec_judgements(folder: Path) -> dict[str, dict[str, int]]:
    path = folder / "qrels.txt"
    rows = [(number, line.split()) for number, line in _lines(path)]
    return _parse_grades(path, [(number, [row[0], *row[2:]]) for number, row in rows], columns=3)


def _parse_grades(
    path: Path, rows: list[tuple[int, list[str]]], *, columns: int
) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for number, row in rows:
        try:
            query, passage, grade = row
            found.setdefault(query.strip(), {})[passage.strip()] = int(grade)
        except ValueError as error:
            raise DatasetError(
                f"{path.name}, line {number}: needs {columns} columns, the last a number"
            ) from error
    return found
