"""Validation of the values that people enter in the form of an approval.

Schemas come from workflows: see `conversations.runtime.structured_output` for what protects the process.
"""

from typing import Any

from conversations.runtime.structured_output import list_validation_errors

ROOT = "values"


def find_value_errors(schema: dict[str, Any] | None, values: Any) -> dict[str, list[str]]:
    """Return the errors by field; errors of the whole form are under `values`."""
    if not schema:
        return {ROOT: ["This approval has no form."]} if values else {}
    errors: dict[str, list[str]] = {}
    for path, message in list_validation_errors(schema, values):
        errors.setdefault(path[0] if path else ROOT, []).append(
            f"{'/'.join(path[1:])}: {message}" if len(path) > 1 else message
        )
    return errors
