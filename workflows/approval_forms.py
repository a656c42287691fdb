"""Django forms of a decision: the reason, and the values of an approval's form, made from its JSON Schema."""

from datetime import date
from typing import Any

from django import forms
from django.utils.html import escape

from workflows.choices import Decision, DecisionChannel
from workflows.services.approvals import MAX_COMMENT, Answer, FormValuesError
from workflows.services.form_values import ROOT

LONG_TEXT = 200
INPUT_CLASSES = (
    "bg-white border border-base-200 px-3 py-2 rounded-default w-full dark:bg-base-900 dark:border-base-700"
)
Schema = dict[str, Any]


class CommentForm(forms.Form):
    """Reason for a decision."""

    comment = forms.CharField(
        max_length=MAX_COMMENT, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


class ApprovalForm(forms.Form):
    """Values of an approval's form. `read_values` returns them as JSON."""

    def __init__(self, schema: Schema | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, prefix="values", **kwargs)
        schema = schema or {}
        required = schema.get("required", [])
        for name, each in schema.get("properties", {}).items():
            self.fields[name] = build_field(
                name, each if isinstance(each, dict) else {}, required=name in required
            )

    def read_values(self) -> dict[str, Any]:
        """Return the values that were entered, without empty optional fields."""
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in self.cleaned_data.items()
            if value is not None and value != ""
        }

    def add_value_errors(self, error: FormValuesError) -> None:
        """Show the errors at their fields."""
        for name, messages in error.errors.items():
            known = name in self.fields
            self.add_error(
                name if known else None,
                messages if known or name == ROOT else [f"{name}: {text}" for text in messages],
            )


def read_answer(
    decision: str | None, values: ApprovalForm, comment: CommentForm, channel: DecisionChannel
) -> Answer | None:
    """Return the posted decision, or None if something is invalid. Only an approval has values."""
    is_approved = decision == Decision.APPROVED
    if decision not in Decision.values or not comment.is_valid() or (is_approved and not values.is_valid()):
        return None
    entered = values.read_values() if is_approved else None
    return Answer(Decision(decision), comment.cleaned_data["comment"], entered, channel)


def style_inputs(form: forms.Form) -> forms.Form:
    """Give the inputs of a form, except checkboxes, the look of the sign-in pages, and return the form."""
    for field in form.fields.values():
        if not isinstance(field.widget, forms.CheckboxInput):
            field.widget.attrs["class"] = INPUT_CLASSES
    return form


def build_field(name: str, schema: Schema, *, required: bool) -> forms.Field:
    """Return the field of a property. Lists and objects are entered as JSON."""
    common: dict[str, Any] = {
        "label": str(schema.get("title") or name.replace("_", " ").capitalize()),
        # Templates show help texts unescaped.
        "help_text": escape(str(schema.get("description") or "")),
        "required": required,
    }
    if "default" in schema:
        common["initial"] = schema["default"]
    if isinstance(options := schema.get("enum"), list) and all(isinstance(each, str) for each in options):
        choices = [(each, each) for each in options]
        return forms.ChoiceField(choices=choices if required else [("", "---------"), *choices], **common)
    kind = schema.get("type")
    limits = {"min_value": schema.get("minimum"), "max_value": schema.get("maximum")}
    if kind == "boolean":
        return forms.BooleanField(**common | {"required": False})
    if kind == "integer":
        return forms.IntegerField(**limits, **common)
    if kind == "number":
        return forms.FloatField(**limits, **common)
    if kind == "string":
        return _build_text_field(schema, common)
    return forms.JSONField(**common)


def _build_text_field(schema: Schema, common: dict[str, Any]) -> forms.Field:
    if schema.get("format") == "date":
        return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), **common)
    if schema.get("format") == "email":
        return forms.EmailField(**common)
    longest = schema.get("maxLength")
    is_long = not isinstance(longest, int) or longest > LONG_TEXT
    return forms.CharField(
        min_length=schema.get("minLength"),
        max_length=longest,
        widget=forms.Textarea(attrs={"rows": 4}) if is_long else forms.TextInput(),
        **common,
    )
