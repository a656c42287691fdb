"""`manage.py rotate_keys`."""

import base64
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from agents.models import Integration
from config.encryption import keyring
from config.encryption.keyring import KeyringError, sealed_version
from config.management.commands import rotate_keys
from config.tenancy.scope import platform_scope, tenant_scope
from tenants.choices import KeyStatus
from tenants.models import Tenant, TenantKey

NEW_KEK = "t3:" + base64.b64encode(b"3" * 32).decode()


@pytest.fixture(autouse=True)
def _empty_cache():
    keyring.clear_cache()
    yield
    keyring.clear_cache()


def within(tenant):
    return tenant_scope(tenant, actor="system:test")


def make_tenant(slug, secrets=3):
    with platform_scope(reason="test"):
        tenant = Tenant.objects.create(name=slug.title(), slug=slug)
    with within(tenant):
        for number in range(secrets):
            Integration.objects.create(name=f"n{number}", platform="openai", credentials={"n": number})
        Integration.objects.create(name="empty", platform="openai")
    return tenant


def rotate(*arguments):
    out = StringIO()
    call_command("rotate_keys", *arguments, stdout=out, stderr=StringIO(), verbosity=0)
    return out.getvalue().strip()


def values(tenant):
    keyring.clear_cache()
    with within(tenant):
        return {row.name: row.credentials for row in Integration.objects.all()}


def versions(tenant):
    with within(tenant):
        rows = Integration.objects.filter(credentials__isnull=False).order_by("name")
        return [sealed_version(sealed) for sealed in rows.values_list("credentials", flat=True)]


def keys(tenant):
    with platform_scope(reason="test"):
        rows = TenantKey._base_manager.filter(tenant=tenant).order_by("version")
        return list(rows.values_list("version", "status", "kek_id"))


@pytest.fixture
def tenant(db):
    return make_tenant("acme")


VALUES = {"n0": {"n": 0}, "n1": {"n": 1}, "n2": {"n": 2}, "empty": None}


def test_states_are_those_of_the_model():
    assert KeyStatus.values == [keyring.CURRENT, keyring.DECRYPT_ONLY]


def test_kek_rotation_rewraps_and_leaves_the_rows(tenant):
    with override_settings(CONCLAVE_KEKS=f"{NEW_KEK},{settings.CONCLAVE_KEKS}"):
        assert rotate("--kek") == "1 data keys wrapped with t3"

    with override_settings(CONCLAVE_KEKS=NEW_KEK):
        assert values(tenant) == VALUES
    assert keys(tenant) == [(1, "current", "t3")]
    assert versions(tenant) == [1, 1, 1]


def test_values_do_not_open_without_their_kek(tenant):
    with override_settings(CONCLAVE_KEKS=NEW_KEK), pytest.raises(KeyringError, match="t2 is missing"):
        values(tenant)


def test_kek_rotation_without_the_old_kek_changes_nothing(tenant):
    with override_settings(CONCLAVE_KEKS=NEW_KEK), pytest.raises(CommandError, match="t2 is missing"):
        rotate("--kek")

    assert keys(tenant) == [(1, "current", "t2")]


def test_data_rotation_keeps_values_under_a_new_key(tenant):
    assert rotate("--data") == "3 values re-encrypted"

    assert versions(tenant) == [2, 2, 2]
    assert keys(tenant) == [(1, "decrypt_only", "t2"), (2, "current", "t2")]
    assert values(tenant) == VALUES


def test_data_rotation_goes_on_over_many_batches(tenant, monkeypatch):
    monkeypatch.setattr(rotate_keys, "BATCH", 2)

    assert rotate("--data") == "3 values re-encrypted"
    assert versions(tenant) == [2, 2, 2]


def test_both_keys_are_readable_in_the_middle(tenant):
    with platform_scope(reason="test"):
        keyring.create_key_version(tenant.pk)
    with within(tenant):
        row = Integration.objects.get(name="n1")
        row.credentials = {"n": "new"}
        row.save()

    assert versions(tenant) == [1, 2, 1]
    assert values(tenant) == VALUES | {"n1": {"n": "new"}}


def test_resume_finishes_without_another_key(tenant):
    with platform_scope(reason="test"):
        keyring.create_key_version(tenant.pk)

    assert rotate("--data", "--resume") == "3 values re-encrypted"
    assert rotate("--data", "--resume") == "0 values re-encrypted"
    assert versions(tenant) == [2, 2, 2]
    assert [version for version, _, _ in keys(tenant)] == [1, 2]


def test_rotates_a_single_tenant(tenant):
    other = make_tenant("evil", secrets=1)

    assert rotate("--data", "--tenant", "evil") == "1 values re-encrypted"
    assert versions(other) == [2]
    assert versions(tenant) == [1, 1, 1]


def test_dry_run_counts_and_changes_nothing(tenant):
    with override_settings(CONCLAVE_KEKS=f"{NEW_KEK},{settings.CONCLAVE_KEKS}"):
        said = rotate("--kek", "--data", "--dry-run")

    assert said == "1 data keys would be wrapped with t3\n3 values would be re-encrypted"
    assert versions(tenant) == [1, 1, 1]
    assert keys(tenant) == [(1, "current", "t2")]


def test_concurrent_write_is_not_lost(tenant):
    with platform_scope(reason="test"):
        version = keyring.create_key_version(tenant.pk)
        column = rotate_keys.EncryptedColumn(Integration._meta.get_field("credentials"), tenant.pk, version)
        _, key = keyring.get_data_key(tenant.pk, version)
        read_before = column.batch(None)
    with within(tenant):
        row = Integration.objects.get(name="n0")
        row.credentials = {"n": "written meanwhile"}
        row.save()
    with platform_scope(reason="test"):
        for row_id, sealed in read_before:
            column.replace(key, row_id, sealed)

    assert values(tenant) == VALUES | {"n0": {"n": "written meanwhile"}}
    assert versions(tenant) == [2, 2, 2]


def test_unreadable_value_is_reported_and_the_rest_rotated(tenant):
    with platform_scope(reason="test"), connection.cursor() as cursor:
        cursor.execute("UPDATE agents_integration SET credentials = 'planted' WHERE name = 'n1'")
    with pytest.raises(CommandError, match="1 values were not re-encrypted"):
        rotate("--data")

    with platform_scope(reason="test"):
        rows = Integration.unscoped.filter(credentials__isnull=False).order_by("name")
        found = [bytes(sealed)[:3] for sealed in rows.values_list("credentials", flat=True)]
    assert found == [b"\x01\x00\x02", b"pla", b"\x01\x00\x02"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["--dry-run"], ["--kek", "--tenant", "acme"], ["--kek", "--resume"], ["--data", "--tenant", "no"]],
)
def test_unclear_orders_are_refused(tenant, arguments):
    with pytest.raises(CommandError):
        rotate(*arguments)
    assert keys(tenant) == [(1, "current", "t2")]
