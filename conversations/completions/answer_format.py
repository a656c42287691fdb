"""Requested formats of answers: a JSON object or a JSON Schema."""

import json

from conversations.completions.types import CompletionRequest
from conversations.runtime.structured_output import AnswerValidationError, find_validation_error


def find_format_error(request: CompletionRequest, text: str) -> str:
    """Return why `text` does not have the requested format, or an empty string."""
    if request.schema is None and not request.json_object:
        return ""
    try:
        value = json.loads(text)
    except ValueError:
        return "The model's answer is not valid JSON."
    if request.schema is None:
        return "" if isinstance(value, dict) else "The model's answer is not a JSON object."
    try:
        problem = find_validation_error(request.schema, value)
    except AnswerValidationError as error:
        return str(error)
    return f"The model's answer does not match the schema. {problem}" if problem else ""
