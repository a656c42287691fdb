"""Encrypted fields in forms: password inputs that never show the stored value."""

import json
from collections.abc import Callable
from typing import Any

from django import forms
from django.db import models
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst

from config.encryption.fields import EncryptedField, EncryptedJSONField, encrypted_fields

SUFFIX = "_new"
KEEP_HELP_TEXT = "Leave empty to keep the stored value."


class SecretTextField(forms.CharField):
    """A new secret, as text."""


class SecretJSONField(forms.CharField):
    """A new secret, as JSON; the error message does not repeat the input."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError:
            raise forms.ValidationError("Enter valid JSON.") from None


def add_secret_fields(
    form: type[forms.ModelForm], model: type[models.Model], widget: Any
) -> type[forms.ModelForm]:
    """Return a form class with a password input, `<name>_new`, for each encrypted field of `model`."""
    boxes = {
        f"{field.name}{SUFFIX}": (
            SecretJSONField if isinstance(field, EncryptedJSONField) else SecretTextField
        )(
            required=False,
            label=capfirst(field.verbose_name),
            help_text=f"{field.help_text} {KEEP_HELP_TEXT}",
            widget=widget(attrs={"autocomplete": "new-password"}),
            strip=False,
        )
        for field in encrypted_fields(model)
    }
    return type(form.__name__, (form,), boxes)


def secret_names(model: type[models.Model], *, writable: bool) -> dict[str, str]:
    """Map encrypted fields to their form input or read-only state."""
    suffix = SUFFIX if writable else "_state"
    return {field.name: f"{field.name}{suffix}" for field in encrypted_fields(model)}


def build_state_column(field: EncryptedField) -> Callable[[models.Model], str]:
    """Return a read-only column that shows whether a value is stored, without decrypting it."""

    def state(obj: models.Model) -> str:
        return "stored" if obj.__dict__.get(field.attname) is not None else "none"

    state.short_description = capfirst(field.verbose_name)  # type: ignore[attr-defined]
    return state


def apply_secrets(obj: models.Model, cleaned: dict[str, Any]) -> None:
    """Set the encrypted fields that have input."""
    for field in encrypted_fields(type(obj)):
        value = cleaned.get(f"{field.name}{SUFFIX}")
        if value not in (None, ""):
            setattr(obj, field.name, value)


class ShowSecretMixin:
    """Mixin that shows `new_secret` of a request once, after a row was added.

    `shown_once_because` is the text above it. With None as the secret, the page is that of Django.
    """

    shown_once_because = ""

    def response_add(self, request: Any, obj: models.Model, post_url_continue: Any = None) -> Any:
        if request.new_secret is None:
            return super().response_add(request, obj, post_url_continue)  # type: ignore[misc]
        opts, site = self.opts, self.admin_site  # type: ignore[attr-defined]
        name = str(getattr(obj, "name", obj))
        context = {
            **site.each_context(request),
            "title": f"New {opts.verbose_name}: {name}",
            "name": name,
            "secret": request.new_secret,
            "reason": self.shown_once_because,
            "next_url": reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[obj.pk]),
            "opts": opts,
        }
        response = TemplateResponse(request, "console/new_secret.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response
