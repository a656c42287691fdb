"""Markdown building blocks of the generated pages."""

from collections.abc import Iterable, Sequence

GENERATED_MARK = (
    "<!-- Made by `manage.py schema_docs` from the models and the database's catalogue. Do not edit. -->"
)


def cell(text: object) -> str:
    """Escape `text` for a table cell."""
    return " ".join(str(text).replace("|", "\\|").split())


def grid(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Render a table; empty without rows."""
    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines])


def code(text: str) -> str:
    """Format `text` as code; empty if `text` is empty."""
    return f"`{text}`" if text else ""


def codes(texts: Iterable[str]) -> str:
    return ", ".join(map(code, texts))


def page(title: str, *blocks: str) -> str:
    """Render a page without empty blocks."""
    return "\n\n".join([GENERATED_MARK, f"# {title}", *filter(None, blocks)]) + "\n"
