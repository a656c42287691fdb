"""Serializer fields shared by all apps."""

from typing import Any, NoReturn

from rest_framework import serializers

MASK = "********"


class ListedChoiceField(serializers.ChoiceField):
    """A choice field whose error message lists the valid choices."""

    default_error_messages = {
        "invalid_choice": '"{input}" is not a valid choice. Valid choices are: {listed}.'
    }

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        super().fail(key, listed=", ".join(map(str, self.choices)), **kwargs)


class SecretField(serializers.JSONField):
    """A secret that can be written but is never returned.

    Responses contain `MASK` when the secret is set and null when it is not, without decrypting it. Writing `MASK`
    leaves the secret unchanged, so a client may send back what it has read. Null clears the secret if the field
    allows null.

    Args:
        text: The secret is a string (`EncryptedTextField`) instead of any JSON value (`EncryptedJSONField`).
    """

    default_error_messages = {
        "not_text": "Not a valid string.",
        "unset": "No secret is stored yet. Send a value instead of the mask.",
    }

    def __init__(self, *, text: bool = False, **kwargs: Any) -> None:
        self.text = text
        super().__init__(**kwargs)

    def get_attribute(self, instance: Any) -> Any:
        """Return the stored envelope if there is one, so that lists decrypt nothing."""
        *path, name = self.source_attrs
        for step in path:
            instance = getattr(instance, step, None)
        if isinstance(instance, dict):
            return instance.get(name)
        values = getattr(instance, "__dict__", {})
        return values[name] if name in values else getattr(instance, name, None)

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
