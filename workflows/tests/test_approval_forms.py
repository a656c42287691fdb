"""Fields of the forms that people fill in for workflows."""

import pytest
from django import forms

from workflows.approval_forms import build_field


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"enum": ["a", "b"]}, forms.ChoiceField),
        ({"type": "boolean"}, forms.BooleanField),
        ({"type": "integer", "minimum": 1}, forms.IntegerField),
        ({"type": "number", "default": 1.5}, forms.FloatField),
        ({"type": "string", "format": "date"}, forms.DateField),
        ({"type": "string", "format": "email"}, forms.EmailField),
        ({"type": "string", "maxLength": 20}, forms.CharField),
        ({"type": "object"}, forms.JSONField),
    ],
)
def test_field_has_the_type_of_its_schema(schema, kind):
    field = build_field("due_date", schema | {"description": "<b>When</b>"}, required=True)
    assert type(field) is kind
    assert (field.label, field.help_text) == ("Due date", "&lt;b&gt;When&lt;/b&gt;")
    assert field.initial == schema.get("default")
