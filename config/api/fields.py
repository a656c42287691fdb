"""Serializer fields that every app may use."""

from typing import Any, NoReturn

from rest_framework import serializers

MASK = "********"


class ListedChoiceField(serializers.ChoiceField):
    """One of a list, which the refusal of another value names."""

    default_error_messages = {"invalid_choice": '"{input}" is none of {listed}.'}

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        super().fail(key, listed=", ".join(map(str, self.choices)), **kwargs)


class SecretField(serializers.JSONField):
    """A value that goes in and never comes out.

    Reading answers `MASK` when the secret is set and null when it is not; it is not decrypted for that.
    Writing `MASK` back leaves the secret as it is, so a client may return what it has read; null clears it
    when the field allows null.

    Args:
        text: the secret is a text (`EncryptedTextField`) instead of any JSON (`EncryptedJSONField`).
    """

    default_error_messages = {
        "not_text": "Not a valid string.",
        "unset": "There is no secret to keep: send a value.",
    }

    def __init__(self, *, text: bool = False, **kwargs: Any) -> None:
        self.text = text
        super().__init__(**kwargs)

    def get_attribute(self, instance: Any) -> Any:
        """The stored envelope where there is one, so that a list of rows decrypts nothing."""
        *path, name = self.source_attrs
        for step in path:
            instance = getattr(instance, step, None)
        if isinstance(instance, dict):
            return instance.get(name)
        held = getattr(instance, "__dict__", {})
        return held[name] if name in held else getattr(instance, name, None)

    def to_representation(self, value: Any) -> str:
        return MASK

    def to_internal_value(self, data: Any) -> Any:
        if data == MASK:
            if getattr(self.root, "instance", None) is None:
                self.fail("unset")
            raise serializers.SkipField
        if self.text and not isinstance(data, str):
            self.fail("not_text")
        return super().to_internal_value(data)
