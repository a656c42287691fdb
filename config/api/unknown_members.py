"""Refusal of request body members that a serializer does not accept."""

from collections.abc import Iterator
from typing import Any

import orjson
from rest_framework import serializers

from .exceptions import Invalid
from .renderers import dumps

UNKNOWN, READ_ONLY = "unknown_member", "read_only"
DETAILS = {
    UNKNOWN: "Unknown member.",
    READ_ONLY: "This member is read-only. Omit it, or send its current value.",
}


def refuse_unknown_members(serializer: Any, data: Any) -> None:
    """Reject members that the serializer does not have, and changes of read-only members.

    A read-only member with the stored value is accepted, so that a client can send back what it has read.

    Raises:
        Invalid: the body has such a member, at any depth that the serializer declares.
    """
    errors = [
        {"pointer": pointer, "code": code, "detail": DETAILS[code]}
        for pointer, code in _iter_refused(serializer, data, "")
    ]
    if errors:
        detail = "; ".join(f"{error['pointer']}: {error['detail']}" for error in errors[:10])
        raise Invalid(detail, code=errors[0]["code"], errors=errors)


def _iter_refused(field: Any, data: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Yield the JSON pointer and the error code of each refused member."""
    if isinstance(field, serializers.Serializer) and hasattr(data, "items"):
        for name, value in data.items():
            member = field.fields.get(name)
            place = f"{pointer}/{_escape(name)}"
            if member is None:
                yield place, UNKNOWN
            elif not member.read_only:
                yield from _iter_refused(member, value, place)
            elif not _is_stored(member, getattr(field, "instance", None), value):
                yield place, READ_ONLY
    elif isinstance(field, serializers.ListSerializer | serializers.ListField) and isinstance(data, list):
        for index, value in enumerate(data):
            yield from _iter_refused(field.child, value, f"{pointer}/{index}")


def _escape(name: Any) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")


def _is_stored(field: Any, instance: Any, value: Any) -> bool:
    """Return whether `value` is what a response shows for the field of this row."""
    if instance is None:
        return False
    attribute = field.get_attribute(instance)
    shown = None if attribute is None else field.to_representation(attribute)
    return orjson.loads(dumps(shown)) == value
