"""Encrypted model fields: plaintext in Python, an AES-256-GCM envelope of `config.encryption.keyring` in `bytea`.

The associated data contains tenant, table, column and row, so decrypting a ciphertext that was copied elsewhere raises
`DecryptionError`. Renaming a table or column therefore requires re-encrypting its rows.
"""

import copy
import json
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldError
from django.db import DEFAULT_DB_ALIAS, models
from django.db.models.expressions import DatabaseDefault
from django.db.models.query_utils import DeferredAttribute

from config.db.ids import uuid7
from config.encryption import keyring

PLATFORM = "platform"


class Ciphertext(bytes):
    """A stored envelope, as returned by `values()`. Assigning it to a field writes it unchanged."""

    def __repr__(self) -> str:
        return f"<ciphertext of {len(self)} bytes>"

    __str__ = __repr__


@dataclass(slots=True, repr=False, eq=False)
class Secret:
    """A decrypted value on an instance. `ciphertext` is the stored envelope, if any."""

    value: Any
    ciphertext: Ciphertext | None = None
    stored: bytes | None = None

    def __repr__(self) -> str:
        return "<secret>"

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return Secret(copy.deepcopy(self.value, memo), self.ciphertext, self.stored)

    def __reduce__(self) -> Any:
        # Pickled instances go to caches or queues, which would store the secret in plain text.
        raise TypeError("an instance with a decrypted secret cannot be pickled")


class SecretAttribute(DeferredAttribute):
    """Descriptor that decrypts when the attribute is read, not when the row is loaded."""

    field: "EncryptedField"

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        if instance is None:
            return self
        data = instance.__dict__
        name = self.field.attname
        if name not in data:
            data[name] = self._load(instance)
        value = data[name]
        if isinstance(value, Ciphertext):
            value = data[name] = self.field.open(instance, value)
        return None if value is None else value.value

    def __set__(self, instance: models.Model, value: Any) -> None:
        data = instance.__dict__
        name = self.field.attname
        held = data.get(name)
        if isinstance(held, Secret) and held.value is value:
            return
        if value is None or isinstance(value, Ciphertext):
            data[name] = value
            return
        _assign_id(instance)
        data[name] = Secret(value)

    def _load(self, instance: models.Model) -> Ciphertext | None:
        # refresh_from_db() would read the attribute of a second instance, at the cost of another query.
        manager = type(instance)._base_manager.using(instance._state.db)
        rows = manager.filter(pk=instance.pk).values_list(self.field.attname, flat=True)
        return rows.get()


class EncryptedField(models.BinaryField):
    """Base of the encrypted fields. Use `EncryptedTextField` or `EncryptedJSONField`.

    The row's id and tenant must be known before it is written. An instance gets its UUIDv7 when the first secret is
    assigned; `TenantModel.save` sets the tenant; `bulk_create` expects it to be set. NULL is stored as NULL. Reading
    raises `DecryptionError` if the stored value is not an envelope sealed for this row. Lookups other than `isnull`,
    `update()`, `bulk_update()` and fixtures raise `FieldError`.
    """

    descriptor_class = SecretAttribute
    empty_strings_allowed = False
    empty_values = [None, "", b"", {}, []]

    def dump(self, value: Any) -> bytes:
        """Serialize a value to plaintext bytes.

        Raises:
            TypeError: the field does not support values of this type.
            ValueError: the value cannot be serialized. The message does not reveal it.
        """
        raise NotImplementedError

    def parse(self, data: bytes) -> Any:
        """Deserialize the bytes that `dump` returned."""
        raise NotImplementedError

    def open(self, instance: models.Model, ciphertext: Ciphertext) -> Secret:
        """Decrypt a ciphertext of `instance`.

        Raises:
            DecryptionError: it was sealed for another row, column or tenant, or was modified.
            KeyringError: the key-encryption key is missing.
        """
        tenant_id, context = self._context(instance)
        using = instance._state.db or DEFAULT_DB_ALIAS
        stored = keyring.open_sealed(tenant_id, context, ciphertext, using=using)
        return Secret(self.parse(stored), ciphertext, stored)

    def _context(self, instance: models.Model) -> tuple[Any, str]:
        row_id = instance.pk
        if row_id is None or isinstance(row_id, DatabaseDefault):
            raise FieldError(f"{self._where()} is encrypted for one row: set the id before it is written")
        row_id = self.model._meta.pk.to_python(row_id)
        tenant_id = self._tenant_id(instance)
        return tenant_id, associated_data(tenant_id, self.model._meta.db_table, str(self.column), row_id)

    def _tenant_id(self, instance: models.Model) -> Any:
        field = find_tenant_field(self.model)
        if field is None:
            return None
        tenant_id = getattr(instance, field.attname)
        if tenant_id is None and not field.null:
            raise FieldError(
                f"{self._where()} is encrypted for one tenant: set tenant_id before it is written"
            )
        return field.target_field.to_python(tenant_id)

    def _where(self) -> str:
        return f"{self.model._meta.label}.{self.name}"

    def pre_save(self, model_instance: models.Model, add: bool) -> Ciphertext | None:
        held = model_instance.__dict__.get(self.attname)
        if isinstance(held, Ciphertext):
            if add:
                # A copied instance: fails if the envelope belongs to the original row.
                self.open(model_instance, held)
            return held
        if held is None:
            return None
        data = self.dump(held.value)
        if held.ciphertext is not None and data == held.stored and not add:
            return held.ciphertext
        # Do not store the new ciphertext on the instance: a rollback can remove the data key it needs.
        tenant_id, context = self._context(model_instance)
        using = model_instance._state.db or DEFAULT_DB_ALIAS
        return Ciphertext(keyring.seal(tenant_id, context, data, using=using))

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, Ciphertext):
            raise FieldError(f"{self._where()} is encrypted for one row: set it on an instance and save that")
        return connection.Database.Binary(bytes(value))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Ciphertext | None:
        return None if value is None else Ciphertext(value)

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(f"{self._where()} is encrypted: it can be filtered by isnull alone")
        return super().get_lookup(lookup_name)

    def value_from_object(self, obj: models.Model) -> Any:
        return getattr(obj, self.attname)

    def value_to_string(self, obj: models.Model) -> str:
        """Return an empty string: fixtures contain no secrets."""
        return ""

    def to_python(self, value: Any) -> Any:
        return value

    def get_default(self) -> Any:
        return models.Field.get_default(self)

    def _check_str_default_value(self) -> list[Any]:
        return []


class EncryptedTextField(EncryptedField):
    """A text field that is encrypted in the database."""

    description = "Encrypted text"

    def dump(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise TypeError(f"{self._where()} holds text, not {type(value).__name__}")
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{self._where()} holds text that UTF-8 cannot express") from None

    def parse(self, data: bytes) -> str:
        return data.decode()


class EncryptedJSONField(EncryptedField):
    """A JSON field that is encrypted in the database. None is stored as NULL, not JSON null."""

    description = "Encrypted JSON"

    def dump(self, value: Any) -> bytes:
        try:
            return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError):
            raise ValueError(f"{self._where()} holds a value that JSON cannot express") from None

    def parse(self, data: bytes) -> Any:
        return json.loads(data)


def encrypted_fields(model: type[models.Model]) -> tuple[EncryptedField, ...]:
    """Return the encrypted fields of `model`'s table, without inherited ones."""
    return tuple(field for field in model._meta.local_concrete_fields if isinstance(field, EncryptedField))


def encrypted_columns(model: type[models.Model]) -> tuple[str, ...]:
    """Return the columns of `model` that contain ciphertext."""
    return tuple(str(field.column) for field in encrypted_fields(model))


def find_tenant_field(model: type[models.Model]) -> Any:
    """Return the tenant field of `model`, or None for platform tables."""
    return next((field for field in model._meta.concrete_fields if field.name == "tenant"), None)


def associated_data(tenant_id: Any, table: str, column: str, row_id: Any) -> str:
    """Return the associated data that a ciphertext is bound to."""
    return f"{tenant_id or PLATFORM}|{table}|{column}|{row_id}"


def _assign_id(instance: models.Model) -> None:
    field = instance._meta.pk
    held = instance.__dict__.get(field.attname, ...)
    if isinstance(field, models.UUIDField) and (held is None or isinstance(held, DatabaseDefault)):
        instance.pk = uuid7()
