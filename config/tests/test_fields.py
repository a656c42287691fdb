"""Encrypted fields, against `agents.Integration.credentials`."""

import copy
import pickle

import pytest
from django.core.exceptions import FieldError
from django.db import connection, models
from django.db.models import F, Value

from agents.models import Integration
from config.db.ids import uuid7
from config.encryption import keyring
from config.encryption.fields import (
    Ciphertext,
    EncryptedJSONField,
    EncryptedTextField,
    Secret,
    associated_data,
    encrypted_columns,
)
from config.encryption.keyring import DecryptionError
from config.tenancy.scope import platform_scope, tenant_scope
from tenants.models import Tenant

PLAIN = {"api_key": "sk-live-0123456789-plaintext"}
MARKER = b"0123456789-plaintext"
TABLE = "agents_integration"


@pytest.fixture(autouse=True)
def _empty_cache():
    keyring.clear_cache()
    yield
    keyring.clear_cache()


def make_tenant(slug):
    with platform_scope(reason="test"):
        return Tenant.objects.create(name=slug.title(), slug=slug)


def within(tenant):
    return tenant_scope(tenant, actor="system:test")


def make_integration(tenant, credentials=PLAIN, name="main"):
    with within(tenant):
        return Integration.objects.create(name=name, platform="openai", credentials=credentials)


def read_stored(row):
    with platform_scope(reason="test"), connection.cursor() as cursor:
        cursor.execute(f"SELECT credentials FROM {TABLE} WHERE id = %s", [row.pk])
        found = cursor.fetchone()[0]
    return None if found is None else bytes(found)


def store(row, sealed):
    with platform_scope(reason="test"), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {TABLE} SET credentials = %s WHERE id = %s", [sealed, row.pk])


def read(row):
    with within(row.tenant_id):
        return Integration.objects.get(pk=row.pk).credentials


@pytest.fixture
def tenant(db):
    return make_tenant("acme")


@pytest.fixture
def row(tenant):
    return make_integration(tenant)


def test_encrypted_columns_names_them():
    assert (encrypted_columns(Integration), encrypted_columns(Tenant)) == (("credentials",), ())


@pytest.mark.parametrize("kind", [EncryptedTextField, EncryptedJSONField])
def test_migrations_see_the_field_itself(kind):
    _, path, args, kwargs = kind(null=True, help_text="x").deconstruct()

    assert path == f"config.encryption.fields.{kind.__name__}"
    assert (args, kwargs) == ([], {"null": True, "help_text": "x"})


def test_context_names_tenant_table_column_and_row():
    assert associated_data("t", "agents_agent", "secret", 7) == "t|agents_agent|secret|7"
    assert associated_data(None, "mfa", "seed", 7) == "platform|mfa|seed|7"


def test_new_instance_has_its_id_before_it_is_saved():
    fresh = Integration(name="x", credentials=PLAIN)

    assert fresh.pk.version == 7
    assert Integration(name="x", credentials=PLAIN, id=fresh.pk).pk == fresh.pk


def test_repr_of_what_an_instance_holds_is_no_secret():
    held = Integration(name="x", credentials=PLAIN).__dict__

    assert isinstance(held["credentials"], Secret)
    assert "sk-live" not in repr(held)


def test_decrypted_instance_is_not_pickled_and_an_unread_one_is():
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Integration(name="x", credentials=PLAIN))

    unread = Integration(name="x", credentials=Ciphertext(b"\x01sealed"))
    assert pickle.loads(pickle.dumps(unread)).__dict__["credentials"] == b"\x01sealed"


def test_deep_copy_is_independent():
    first = Integration(name="x", credentials={"a": [1]})
    second = copy.deepcopy(first)
    second.credentials["a"].append(2)

    assert (first.credentials, second.credentials) == ({"a": [1]}, {"a": [1, 2]})


@pytest.mark.parametrize("lookup", ["exact", "in", "contains", "gt", "startswith", "has_key", "api_key"])
def test_filtering_is_refused(lookup):
    with pytest.raises(FieldError) as caught:
        Integration.unscoped.filter(**{f"credentials__{lookup}": ["sk-live"]})
    assert "sk-live" not in str(caught.value)


def test_json_that_cannot_be_written_is_refused_without_showing_it():
    field = Integration._meta.get_field("credentials")

    for value in ({"sk-live": object()}, {"sk-live": float("nan")}, {"sk-live": "\ud800"}):
        with pytest.raises(ValueError, match="JSON cannot express") as caught:
            field.dump(value)
        assert "sk-live" not in str(caught.value)


def test_text_field_accepts_only_text():
    field = EncryptedTextField()
    field.model, field.name = Integration, "credentials"

    with pytest.raises(TypeError, match="not bytes"):
        field.dump(b"sk-live")
    with pytest.raises(ValueError, match="UTF-8"):
        field.dump("\ud800")


@pytest.mark.parametrize(
    "value", [PLAIN, {}, [], "text", 0, False, {"ключ": ["é", "😀", None, 1.5]}, "x" * 100_000]
)
def test_json_values_come_back(tenant, value):
    assert read(make_integration(tenant, value)) == value


def test_null_stays_null(tenant):
    assert read_stored(make_integration(tenant, None)) is None


def test_table_holds_no_plaintext(row):
    with platform_scope(reason="test"), connection.cursor() as cursor:
        cursor.execute(f"SELECT i::text FROM {TABLE} i")
        text = cursor.fetchall()[0][0]

    assert read_stored(row)[:1] == b"\x01"
    assert MARKER not in read_stored(row)
    assert MARKER.decode() not in text
    assert MARKER.hex() not in text


def test_audit_log_holds_neither_plaintext_nor_ciphertext(row):
    with platform_scope(reason="test"), connection.cursor() as cursor:
        cursor.execute("SELECT a::text FROM audit_auditlog a")
        text = "".join(line for (line,) in cursor.fetchall())

    assert str(row.pk) in text
    assert MARKER.decode() not in text
    assert read_stored(row).hex() not in text


def test_ciphertext_of_another_row_does_not_open(tenant, row):
    other = make_integration(tenant, {"api_key": "other"}, name="other")
    store(other, read_stored(row))

    with pytest.raises(DecryptionError):
        read(other)


def test_ciphertext_of_another_tenant_does_not_open(row):
    thief = make_integration(make_tenant("evil"))
    store(thief, read_stored(row))

    with pytest.raises(DecryptionError):
        read(thief)


def test_same_row_id_in_another_tenant_does_not_open(row):
    thief = make_tenant("evil")
    make_integration(thief)
    sealed = Ciphertext(read_stored(row))
    with within(thief):
        forged = Integration(id=row.pk, tenant_id=thief.pk, credentials=sealed)
        with pytest.raises(DecryptionError):
            _ = forged.credentials


@pytest.mark.parametrize("position", [0, 1, 2, 3, 14, 15, -1])
def test_changed_ciphertext_does_not_open(row, position):
    changed = bytearray(read_stored(row))
    changed[position] ^= 1
    store(row, bytes(changed))

    with pytest.raises(DecryptionError):
        read(row)


@pytest.mark.parametrize("planted", [b"", b'{"api_key": "planted"}', b"\x01" * 40])
def test_planted_value_raises_instead_of_being_returned(row, planted):
    store(row, planted)

    with pytest.raises(DecryptionError):
        read(row)


def test_listing_decrypts_nothing(row):
    store(row, b"broken")

    with within(row.tenant_id):
        assert [found.name for found in Integration.objects.all()] == ["main"]


def test_values_are_ciphertext(row):
    with within(row.tenant_id):
        found = Integration.objects.values_list("credentials", flat=True).get()

    assert found == read_stored(row)


def test_isnull_is_the_one_lookup(row):
    with within(row.tenant_id):
        assert Integration.objects.filter(credentials__isnull=False).count() == 1
        assert not Integration.objects.filter(credentials__isnull=True).exists()


def test_saving_an_unchanged_row_writes_the_same_bytes(row):
    before = read_stored(row)
    with within(row.tenant_id):
        found = Integration.objects.get()
        assert found.credentials == PLAIN
        found.name = "renamed"
        found.save()

    assert read_stored(row) == before


def test_change_in_place_is_saved(row):
    with within(row.tenant_id):
        found = Integration.objects.get()
        found.credentials["api_key"] = "new"
        found.save()

    assert read(row) == {"api_key": "new"}


def test_assigned_value_is_saved_and_then_cleared(row):
    with within(row.tenant_id):
        found = Integration.objects.get()
        found.credentials = {"api_key": "new"}
        found.save(update_fields=["credentials"])
    assert read(row) == {"api_key": "new"}

    with within(row.tenant_id):
        found.credentials = None
        found.save()
    assert read_stored(row) is None


def test_deferred_secret_loads_when_read(row):
    with within(row.tenant_id):
        for rows in (Integration.objects.only("name"), Integration.objects.defer("credentials")):
            found = rows.get()
            assert "credentials" not in found.__dict__
            assert found.credentials == PLAIN


def test_refresh_brings_the_stored_value(row):
    with within(row.tenant_id):
        found = Integration.objects.get()
        found.credentials = {"api_key": "forgotten"}
        found.refresh_from_db()
        assert found.credentials == PLAIN
        found.credentials = {"api_key": "forgotten"}
        found.refresh_from_db(fields=["credentials"])
        assert found.credentials == PLAIN


def test_full_clean_keeps_the_secret(row):
    before = read_stored(row)
    with within(row.tenant_id):
        found = Integration.objects.get()
        found.full_clean()
        found.save()
    assert read_stored(row) == before


def test_update_of_a_queryset_may_clear_but_not_set(row):
    with within(row.tenant_id):
        for value in ("sk-live", b"sk-live", {"a": "sk-live"}, Value("sk-live"), F("name")):
            with pytest.raises(FieldError) as caught:
                Integration.objects.update(credentials=value)
            assert "sk-live" not in str(caught.value)
    assert read(row) == PLAIN

    with within(row.tenant_id):
        assert Integration.objects.update(credentials=None) == 1
    assert read_stored(row) is None


def test_bulk_update_is_refused(row):
    with within(row.tenant_id), pytest.raises(FieldError):
        Integration.objects.bulk_update([Integration.objects.get()], ["credentials"])


def test_bulk_create_encrypts_for_each_row(tenant):
    rows = [
        Integration(tenant=tenant, name=f"n{number}", platform="openai", credentials={"n": number})
        for number in range(3)
    ]
    with within(tenant):
        Integration.objects.bulk_create(rows)
        found = {row.name: row.credentials for row in Integration.objects.all()}

    assert found == {"n0": {"n": 0}, "n1": {"n": 1}, "n2": {"n": 2}}


def test_bulk_create_without_a_tenant_raises(tenant):
    with within(tenant), pytest.raises(FieldError, match="set tenant_id"):
        Integration.objects.bulk_create([Integration(name="x", platform="openai", credentials=PLAIN)])


class Undo(Exception): ...


def test_copy_of_an_instance_is_encrypted_for_its_own_row(row):
    with within(row.tenant_id):
        copy = Integration.objects.get()
        assert copy.credentials == PLAIN
        copy.pk, copy.name, copy._state.adding = None, "copy", True
        copy.credentials = dict(PLAIN)
        copy.save()

    assert copy.pk != row.pk
    assert read(copy) == PLAIN


def test_copy_with_an_unread_ciphertext_is_refused(row):
    with within(row.tenant_id):
        copy = Integration.objects.get()
        copy.pk, copy.name, copy._state.adding = Integration(credentials={}).pk, "copy", True
        with pytest.raises(DecryptionError):
            copy.save()


def test_raw_write_of_a_fixture_is_refused(row):
    with within(row.tenant_id):
        found = Integration.objects.get()
        with pytest.raises(FieldError):
            models.Model.save_base(found, raw=True)


def save_and_undo(row):
    with within(row.tenant_id):
        row.save()
        row.refresh_from_db()
        assert row.credentials == PLAIN
        raise Undo


def test_instance_of_a_rolled_back_transaction_can_be_saved_again(tenant):
    row = make_integration(tenant, None)
    row.credentials = dict(PLAIN)
    with pytest.raises(Undo):
        save_and_undo(row)
    with within(tenant):
        row.save()

    assert read(row) == PLAIN


def test_ids_that_are_texts_mean_the_same(tenant):
    fresh = Integration(id=str(uuid7()).upper(), tenant_id=tenant.pk.hex, name="x", platform="openai")
    fresh.credentials = PLAIN
    with within(tenant):
        fresh.save()
        assert fresh.credentials == PLAIN

    assert read(Integration(id=fresh.pk, tenant_id=tenant.pk)) == PLAIN
