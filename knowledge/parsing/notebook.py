"""Reader for Jupyter notebooks: Markdown, code and text outputs."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from knowledge.parsing.document import ParseError, ReaderResult, decode
from knowledge.parsing.markup import split_markdown

MAX_OUTPUT = 20_000


def read_notebook(data: bytes, name: str) -> ReaderResult:
    """Return the cells in order under the headings of the Markdown cells.

    Raises:
        ParseError: If it is not a notebook of version 4.
    """
    try:
        notebook = json.loads(decode(data, name))
    except (ValueError, RecursionError) as error:
        raise ParseError(f"{name}: not valid JSON ({type(error).__name__})") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ParseError(f"{name}: damaged notebook (it has no cells of version 4)")
    warnings: Counter[str] = Counter()
    text = "\n\n".join(
        part for cell in cells if isinstance(cell, dict) for part in _read_cell(cell, warnings)
    )
    pieces = list(split_markdown(text.split("\n")))
    about = notebook.get("metadata")
    language = about.get("language_info", {}) if isinstance(about, dict) else {}
    found = language.get("name") if isinstance(language, dict) else None
    title = next((piece.path[0] for piece in pieces if piece.path), "")
    return ReaderResult(pieces, title, {"language": found} if isinstance(found, str) else {}, warnings)


def _read_cell(cell: dict[str, Any], warnings: Counter[str]) -> Iterator[str]:
    source = _join(cell.get("source"))
    if not source.strip():
        return
    if cell.get("cell_type") != "code":
        yield source
        return
    yield _fence(source)
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        text = _read_output(output) if isinstance(output, dict) else ""
        if not text.strip():
            warnings["outputs_not_read"] += 1
            continue
        warnings["values_shortened"] += len(text) > MAX_OUTPUT
        yield "Output:\n\n" + _fence(text[:MAX_OUTPUT])


def _read_output(output: dict[str, Any]) -> str:
    data = output.get("data")
    if output.get("output_type") == "error":
        return f"{output.get('ename', '')}: {output.get('evalue', '')}".strip(": ")
    return _join(data.get("text/plain")) if isinstance(data, dict) else _join(output.get("text"))


def _fence(text: str) -> str:
    """Return a code block, so that comments do not become headings."""
    mark = "```"
    while mark in text:
        mark += "`"
    return f"{mark}\n{text.rstrip()}\n{mark}"


def _join(value: Any) -> str:
    """Return a text, which notebooks also store as a list of lines."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""
