"""Parsing files of strangers: in a process of its own that is bounded in memory and time.

Small files of text are read here and now: their readers are Python's own, and a process costs 0.1 s.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path, PurePath
from typing import IO

from knowledge.parsing import ParsedDocument, ParseError, Section, parse_bytes, suffix_of
from knowledge.parsing.formats import BINARY

CHILD = Path(__file__).with_name("child.py")
HARMLESS_BYTES = 256 * 1024
MAX_ANSWER = 100 * 1024 * 1024


def parse_bounded(stream: IO[bytes], name: str, size: int, *, megabytes: int, seconds: int) -> ParsedDocument:
    """The document in `stream`, a real file of `size` bytes; `name` decides the format.

    Args:
        megabytes: memory that reading it may take.
        seconds: processor time that it may take; by the clock twice as long and half a minute more.

    Raises:
        ParseError: when it cannot be read within these bounds.
    """
    path = PurePath(name)
    if size <= HARMLESS_BYTES and suffix_of(path) not in BINARY and path.suffix.lower() != ".gz":
        return parse_bytes(stream.read(), name)
    command = [sys.executable, "-I", str(CHILD), name, str(megabytes), str(seconds)]
    child = subprocess.Popen(
        command,
        stdin=stream,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        start_new_session=True,
    )
    try:
        said, _ = child.communicate(timeout=seconds * 2 + 30)
    except subprocess.TimeoutExpired:
        raise ParseError(f"{path.name}: reading it takes more than {seconds * 2 + 30} s") from None
    finally:
        _end(child)
    return _document(said, child.returncode, path.name, megabytes, seconds)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _document(said: bytes, code: int, name: str, megabytes: int, seconds: int) -> ParsedDocument:
    if code == -signal.SIGXCPU or code == -signal.SIGKILL:
        raise ParseError(f"{name}: reading it takes more than {seconds} s of processor time")
    if code or len(said) > MAX_ANSWER:
        raise ParseError(f"{name}: reading it failed, or takes more than {megabytes} MB of memory")
    found = json.loads(said)
    if error := found.get("error"):
        raise ParseError(error)
    text = found["text"]
    sections = [
        Section(title, text[start:end], page, start, end) for title, page, start, end in found["sections"]
    ]
    return ParsedDocument(text, found["title"], found["media_type"], sections, found["metadata"])
