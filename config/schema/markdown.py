"""Small pieces of Markdown that the generated pages are made of."""

from collections.abc import Iterable, Sequence

MARK = "<!-- Made by `manage.py schema_docs` from the models and the database's catalogue. Do not edit. -->"


def cell(text: object) -> str:
    """`text` inside a table's row."""
    return " ".join(str(text).replace("|", "\\|").split())


def grid(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; empty without rows."""
    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines])


def code(text: str) -> str:
    """`text` in code; nothing for nothing."""
    return f"`{text}`" if text else ""


def codes(texts: Iterable[str]) -> str:
    return ", ".join(map(code, texts))


def page(title: str, *blocks: str) -> str:
    """A whole page; empty blocks are left out."""
    return "\n\n".join([MARK, f"# {title}", *filter(None, blocks)]) + "\n"
