"""Pages of lists in OpenAI's format: `limit`, `order` and the id of the row before or after the page."""

from collections.abc import Mapping
from typing import Any

MAX_LIMIT = 100
DEFAULT_LIMIT = 20


def parse_limit(parameters: Mapping[str, str], most: int = MAX_LIMIT) -> int:
    """Return `limit`, at most `most`."""
    size = parameters.get("limit", "")
    is_number = len(size) < 6 and size.isascii() and size.isdigit()
    return max(1, min(int(size), most)) if is_number else DEFAULT_LIMIT


def render_page(data: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """Return a page as a list object."""
    return {"object": "list", "data": data, **render_ends(data), "has_more": has_more}


def render_ends(data: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the ids of the first and the last row of a page."""
    return {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}


def build_page(rows: list[dict[str, Any]], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a page of `rows`, which are in ascending order."""
    rows = rows if parameters.get("order") == "asc" else list(reversed(rows))
    places = {row["id"]: place for place, row in enumerate(rows)}
    start = places.get(parameters.get("after", ""), -1) + 1
    end = places.get(parameters.get("before", ""), len(rows))
    limit = parse_limit(parameters)
    page = rows[start : min(end, start + limit)]
    return render_page(page, has_more=start + limit < end)
