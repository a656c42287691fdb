"""Form fields for JSON: indented, type-checked, with the JSON Schema in the help text."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.fields import InvalidJSONInput
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from pydantic import BaseModel

from config.db.json_schema import get_json_schemas

TYPE_ERRORS = {list: "Enter a JSON list, such as [].", dict: "Enter a JSON object, such as {}."}


class FormattedJSONField(forms.JSONField):
    """JSON field that indents its value and requires the type of the model default."""

    def __init__(self, *, kind: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, InvalidJSONInput) or self.disabled:
            return value
        return json.dumps(value, ensure_ascii=False, indent=2 if value else None, cls=self.encoder)

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        if self.kind and found is not None and not isinstance(found, self.kind):
            raise ValidationError(TYPE_ERRORS[self.kind], code="invalid_kind")
        return found

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        # An empty input means an empty list or object, not null.
        return self.kind() if found is None and self.kind else found


def json_field_kwargs(field: models.JSONField) -> dict[str, Any]:
    """Return the form field arguments of a JSON model field."""
    kind = next((each for each in TYPE_ERRORS if field.default is each), None)
    if kind is None and callable(field.default):
        kind = type(field.default())
    help_text: Any = field.help_text
    if shapes := get_json_schemas(field):
        help_text = format_html("{}{}", help_text, mark_safe("".join(map(_render_schema, shapes))))  # noqa: S308
    return {
        "form_class": FormattedJSONField,
        "kind": kind if kind in TYPE_ERRORS else None,
        "help_text": help_text,
    }


def render_json(value: Any, encoder: Any) -> SafeString:
    """Render the value of a read-only JSON field, indented."""
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, cls=encoder)
    return format_html('<pre class="font-mono text-xs whitespace-pre-wrap wrap-anywhere">{}</pre>', text)


def _render_schema(shape: type[BaseModel]) -> SafeString:
    """Render the JSON Schema in a collapsed element."""
    text = json.dumps(shape.model_json_schema(), indent=2, ensure_ascii=False)
    return format_html(
        '<details class="mt-1"><summary class="cursor-pointer">Schema of {}</summary>'
        '<pre class="max-h-80 max-w-2xl overflow-auto text-xs whitespace-pre-wrap">{}</pre></details>',
        shape.__name__,
        text,
    )
