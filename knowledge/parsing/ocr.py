"""Text of scanned pages and images, read by Tesseract as a program of the operating system.

The program reads pixels from a pipe and writes a table to another one, so that it needs no files and keeps the limits
of the parser's process. Wrappers such as pytesseract exchange files, which that process cannot write.
"""

import os
import re
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import lru_cache

from knowledge.parsing.options import current_options, ocr_deadline

PROGRAM = "tesseract"
# Pixels of a page at most; a page of A4 has 8.7 million at 300 dots per inch.
MAX_PIXELS, DOTS_PER_INCH = 10_000_000, 300
MIN_CONFIDENCE = 60.0
MAX_LANGUAGES, PAGE_SECONDS = 3, 60
MAX_OUTPUT = 20_000_000
# Data that is not a language.
_OTHER_DATA = frozenset(("osd", "equ"))
LANGUAGES = {
    "ar": "ara", "bg": "bul", "bn": "ben", "ca": "cat", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "en": "eng",
    "es": "spa", "et": "est", "fa": "fas", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun",
    "id": "ind", "it": "ita", "ja": "jpn", "ko": "kor", "lt": "lit", "lv": "lav", "nb": "nor", "nl": "nld", "no": "nor",
    "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus", "sk": "slk", "sl": "slv", "sr": "srp", "sv": "swe", "ta": "tam",
    "te": "tel", "th": "tha", "tr": "tur", "uk": "ukr", "ur": "urd", "vi": "vie", "zh": "chi_sim",
}  # fmt: skip
_SPACE_BETWEEN_CHARACTERS = re.compile("(?<=[\u3040-\u30ff\u3400-\u9fff]) (?=[\u3040-\u30ff\u3400-\u9fff])")


@dataclass(frozen=True, slots=True)
class OcrText:
    """Text of a page with the mean confidence of its characters, from 0 to 100."""

    text: str
    confidence: float


@lru_cache(maxsize=1)
def list_languages() -> tuple[str, ...]:
    """Return the names of the installed languages; none if the program is not installed."""
    if shutil.which(PROGRAM) is None:
        return ()
    try:
        listed = subprocess.run(
            [PROGRAM, "--list-langs"], capture_output=True, text=True, timeout=PAGE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    names = listed.stdout.split("\n")[1:]
    return tuple(name.strip() for name in names if name.strip() and name.strip() not in _OTHER_DATA)


def is_available() -> bool:
    """Return whether pages can be read: the program and a language are installed, and time is left."""
    return ocr_deadline.get() > time.monotonic() and bool(list_languages())


def select_languages(language: str, installed: tuple[str, ...]) -> list[str]:
    """Return the language of the collection and English, else the first installed languages."""
    wanted = LANGUAGES.get(language.partition("-")[0].lower(), "")
    english = [name for name in ("eng",) if name in installed]
    if wanted in installed:
        return list(dict.fromkeys([wanted, *english]))
    return list(dict.fromkeys([*english, *installed]))[:MAX_LANGUAGES]


def read_pixels(width: int, height: int, pixels: bytes) -> OcrText | None:
    """Return the text of a grey image, or None if it has none or the time is used up.

    Args:
        pixels: One byte for each pixel, by rows.
    """
    if not is_available():
        return None
    languages = select_languages(current_options.get().language, list_languages())
    command = [PROGRAM, "stdin", "stdout", "-l", "+".join(languages), "--dpi", str(DOTS_PER_INCH)]
    seconds = max(1.0, min(PAGE_SECONDS, ocr_deadline.get() - time.monotonic()))
    try:
        done = subprocess.run(
            [*command, "--psm", "3", "-c", "tessedit_create_tsv=1"],
            input=b"P5 %d %d 255\n" % (width, height) + pixels,
            capture_output=True,
            timeout=seconds,
            check=True,
            # One thread, because several are slower on few cores.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "OMP_THREAD_LIMIT": "1"},
            preexec_fn=_limit_processor_time,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_table(done.stdout[:MAX_OUTPUT].decode(errors="replace"))


def _limit_processor_time() -> None:
    """Limit the program, which would otherwise outlive a parser that is ended."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    seconds = PAGE_SECONDS if most == resource.RLIM_INFINITY else min(PAGE_SECONDS, most)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, most))


def parse_table(table: str) -> OcrText | None:
    """Return the words of Tesseract's table as lines and paragraphs; None if there are none."""
    parts: list[str] = []
    total = weight = 0.0
    last: list[str] = []
    for row in table.split("\n"):
        cells = row.rstrip("\r").split("\t", 11)
        if len(cells) < 12 or cells[0] != "5" or not cells[11].strip():
            continue
        place = cells[1:5]
        if last:
            parts.append(" " if place == last else "\n" if place[:3] == last[:3] else "\n\n")
        parts.append(cells[11].strip())
        last = place
        size = len(cells[11])
        total, weight = total + float(cells[10]) * size, weight + size
    if not weight:
        return None
    return OcrText(_SPACE_BETWEEN_CHARACTERS.sub("", "".join(parts)), total / weight)
