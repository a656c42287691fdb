"""The list of models in Anthropic's format."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from conversations.api.openai.pages import parse_limit, render_ends

MAX_LIMIT = 1000


def render_model(model: dict[str, Any]) -> dict[str, Any]:
    """Return a model of OpenAI's list in Anthropic's format."""
    created = datetime.fromtimestamp(model["created"], UTC).isoformat().replace("+00:00", "Z")
    return {"type": "model", "id": model["id"], "display_name": model["id"], "created_at": created}


def build_model_page(models: list[dict[str, Any]], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the page of models after `after_id` or before `before_id`."""
    limit = parse_limit(parameters, MAX_LIMIT)
    places = {model["id"]: place for place, model in enumerate(models)}
    if before := parameters.get("before_id"):
        end = places.get(before, len(models))
        start, has_more = max(0, end - limit), end > limit
    else:
        start = places.get(parameters.get("after_id", ""), -1) + 1
        end, has_more = start + limit, start + limit < len(models)
    data = [render_model(model) for model in models[start:end]]
    return {"data": data, "has_more": has_more, **render_ends(data)}
