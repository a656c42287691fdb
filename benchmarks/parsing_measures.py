"""Words and table rows of a parsed file, compared with its source and with a reference converter."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from .parsing_sources import Source, Table

LEAST_WORDS, LEAST_FILES, LEAST_TABLES, LEAST_COUNT = 0.95, 0.95, 0.80, 60
# Scripts without spaces, and Korean, whose words are divided at the end of a line: each character is a word.
_SCRIPTS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_CHARACTER = re.compile(f"([{_SCRIPTS}])")
_HYPHENATED = re.compile(r"(?<=[^\W\d_])[-\u2010\u00ad]\n\s*(?=[^\W\d_])")
_CONTROLS = frozenset(("Cf", "Cc"))


@dataclass(frozen=True)
class Sample:
    """A file, the program that wrote it, and its reference text; `source` is None for files of the user."""

    path: Path
    producer: str
    reference: str
    source: Source | None = None


@dataclass(frozen=True)
class FileResult:
    """Shares of the words and tables of one file; None: nothing to compare with."""

    sample: Sample
    words: float | None
    extra: float | None
    tables: list[bool] = field(default_factory=list)
    warnings: dict[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    error: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether the file keeps its words."""
        return self.words is None or self.words >= LEAST_WORDS

    @property
    def is_silent(self) -> bool:
        """Whether the file loses words without a warning or an error."""
        return not self.is_complete and not self.warnings and not self.error


def list_words(text: str) -> Counter[str]:
    """Count the words of a text, without marks and in lower case."""
    text = unicodedata.normalize("NFKC", _HYPHENATED.sub("", text)).casefold()
    spaced = _CHARACTER.sub(r" \1 ", "".join(map(_simplify, text)))
    return Counter(spaced.split())


def _simplify(character: str) -> str:
    """Keep letters and digits; drop accents and controls, so that fonts and forms make no difference."""
    category = unicodedata.category(character)
    if category[0] in "LN":
        return character
    return "" if category[0] == "M" or (category in _CONTROLS and not character.isspace()) else " "


def measure_recall(found: Counter[str], expected: Counter[str]) -> float:
    """Return the share of the expected words that were found."""
    return (found & expected).total() / expected.total() if expected else 1.0


def is_table_kept(table: Table, text: str) -> bool:
    """Return whether each row is one line of the text, with its cells in order and separated."""
    lines = [_squeeze(line) for line in text.split("\n")]
    return all(any(_has_row(line, row) for line in lines) for row in table)


def _has_row(line: str, row: Iterable[str]) -> bool:
    position = 0
    for number, cell in enumerate(_squeeze(each) for each in row):
        found = line.find(cell, position)
        separated = not number or any(mark in line[position:found] for mark in "|,;\t&")
        if found < 0 or not separated:
            return False
        position = found + len(cell)
    return True


def _squeeze(text: str) -> str:
    kept = (
        each for each in unicodedata.normalize("NFKC", text).casefold() if unicodedata.category(each) != "Cf"
    )
    return "".join("".join(kept).split())


def compare(sample: Sample, text: str, warnings: dict[str, int]) -> FileResult:
    """Compare the text of a parsed file with its source and reference."""
    found, expected = list_words(text), list_words(sample.reference)
    shares = [measure_recall(found, expected)] if expected else []
    everything = expected
    tables: list[bool] = []
    if sample.source is not None:
        is_editable = sample.path.suffix in (".docx", ".odt", ".rtf", ".xlsx", ".ods", ".pptx", ".odp")
        words = f"{sample.source.printed} {sample.source.unprinted if is_editable else ''}"
        known = list_words(words)
        shares += [measure_recall(found, known)] if known else []
        everything = expected | known
        tables = [is_table_kept(table, text) for table in sample.source.tables]
    lost = tuple((everything - found).elements())
    extra = 1 - measure_recall(everything, found) if everything else None
    # Where the fonts of a PDF hide words, no converter finds those of the source.
    share = (max if sample.path.suffix == ".pdf" else min)(shares, default=None)
    return FileResult(sample, share, extra, tables, warnings, lost)


@dataclass(frozen=True)
class FormatResult:
    """Figures of the files of one format."""

    name: str
    files: list[FileResult]

    @property
    def words(self) -> list[float]:
        """Shares of the files that were compared."""
        return [each.words for each in self.files if each.words is not None]

    @property
    def tables(self) -> list[bool]:
        """Whether each table was kept."""
        return [is_kept for each in self.files for is_kept in each.tables]

    def format_line(self) -> str:
        """Return a row of the printed table."""
        extra = [each.extra for each in self.files if each.extra is not None]
        least = f"{min(self.words):.3f} {median(self.words):.3f}" if self.words else "    -     -"
        complete = sum(each.is_complete for each in self.files)
        tables = f"{sum(self.tables)}/{len(self.tables)}" if self.tables else "-"
        silent = sum(each.is_silent for each in self.files)
        return (
            f"{self.name:<22}{len(self.files):>6}  {least}  {complete:>6}  {max(extra, default=0):>6.3f}"
            f"  {tables:>7}  {silent:>6}"
        )


def list_missed_limits(files: list[FileResult], *, is_own: bool) -> list[str]:
    """Return the limits that the files miss; only the words and silent losses count for own files."""
    everything = FormatResult("all", files)
    prints = FormatResult("pdf", [each for each in files if each.sample.path.suffix == ".pdf"]).tables
    complete = sum(each.is_complete for each in files) / max(len(files), 1)
    missed = {
        f"fewer than {LEAST_COUNT} files": not is_own and len(files) < LEAST_COUNT,
        f"{LEAST_WORDS} of the words in {complete:.3f} of the files": complete < LEAST_FILES,
        "rows kept in too few tables of PDF files": bool(prints) and sum(prints) < LEAST_TABLES * len(prints),
        "silent losses": any(each.is_silent for each in everything.files),
    }
    return [name for name, is_missed in missed.items() if is_missed]
