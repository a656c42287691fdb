"""Sealing, key-encryption keys and data keys."""

import base64
import stat
import threading
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from config.encryption import keyring
from config.encryption.keyring import DecryptionError, KeyringError
from config.tenancy.scope import platform_scope, tenant_scope
from tenants.models import Tenant, TenantKey

KEY = bytes(range(32))
TENANT = UUID("00000000-0000-7000-8000-000000000001")
OTHER = UUID("00000000-0000-7000-8000-000000000002")
HERE = "here"
CONTEXT = f"{TENANT}|agents_integration|credentials|{OTHER}"
ONE = "one:" + base64.b64encode(b"1" * 32).decode()
TWO = "two:" + base64.b64encode(b"2" * 32).decode()


@given(
    plaintext=st.binary(max_size=2000),
    version=st.integers(1, 65535),
    context=st.text(st.characters(codec="utf-8")),
)
def test_sealed_bytes_come_back(plaintext, version, context):
    sealed = keyring.seal_with(KEY, version, context, plaintext)

    assert keyring.open_with(KEY, context, sealed) == plaintext
    assert keyring.sealed_version(sealed) == version
    assert len(sealed) == len(plaintext) + 31


@given(st.data())
def test_every_changed_bit_is_noticed(data):
    sealed = bytearray(keyring.seal_with(KEY, 7, CONTEXT, b"sk-live-123"))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(DecryptionError):
        keyring.open_with(KEY, CONTEXT, bytes(sealed))


@given(st.binary(max_size=60))
def test_what_is_no_envelope_is_refused(stored):
    with pytest.raises(DecryptionError):
        keyring.open_with(KEY, CONTEXT, stored)


@pytest.mark.parametrize("length", range(42))
def test_truncated_envelope_is_refused(length):
    sealed = keyring.seal_with(KEY, 7, CONTEXT, b"sk-live-123")

    with pytest.raises(DecryptionError):
        keyring.open_with(KEY, CONTEXT, sealed[:length])


@pytest.mark.parametrize("part", range(4))
def test_every_part_of_the_context_is_bound(part):
    sealed = keyring.seal_with(KEY, 1, CONTEXT, b"secret")
    parts = CONTEXT.split("|")
    parts[part] = str(uuid4()) if part in (0, 3) else parts[part] + "x"

    with pytest.raises(DecryptionError):
        keyring.open_with(KEY, "|".join(parts), sealed)


def test_another_key_does_not_open():
    sealed = keyring.seal_with(KEY, 1, CONTEXT, b"secret")

    with pytest.raises(DecryptionError):
        keyring.open_with(bytes(32), CONTEXT, sealed)


def test_same_plaintext_gives_different_envelopes():
    assert len({keyring.seal_with(KEY, 1, CONTEXT, b"secret") for _ in range(100)}) == 100


def test_decryption_error_hides_plaintext_and_its_cause():
    sealed = keyring.seal_with(KEY, 1, CONTEXT, b"sk-live-123")

    with pytest.raises(DecryptionError) as caught:
        keyring.open_with(KEY, "elsewhere", sealed)
    assert "sk-live-123" not in str(caught.value)
    assert caught.value.__suppress_context__


@override_settings(CONCLAVE_KEKS=f"{TWO},{ONE}")
def test_first_kek_wraps_and_all_unwrap():
    kek_id, wrapped = keyring.wrap(KEY, TENANT, 3)

    with override_settings(CONCLAVE_KEKS=f"{ONE},{TWO}"):
        assert kek_id == "two"
        assert keyring.unwrap(wrapped, TENANT, 3, "two") == KEY


@pytest.mark.parametrize(
    ("tenant", "version", "kek_id"),
    [(OTHER, 3, "one"), (None, 3, "one"), (TENANT, 4, "one"), (TENANT, 3, "two")],
)
@override_settings(CONCLAVE_KEKS=f"{ONE},{TWO}")
def test_wrapped_key_is_bound_to_its_row(tenant, version, kek_id):
    _, wrapped = keyring.wrap(KEY, TENANT, 3)

    with pytest.raises(KeyringError):
        keyring.unwrap(wrapped, tenant, version, kek_id)


def test_missing_kek_is_named_without_key_material():
    with override_settings(CONCLAVE_KEKS=ONE):
        _, wrapped = keyring.wrap(KEY, TENANT, 1)

    with override_settings(CONCLAVE_KEKS=TWO), pytest.raises(KeyringError, match="one is missing") as caught:
        keyring.unwrap(wrapped, TENANT, 1, "one")
    assert TWO.split(":")[1] not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["plain", "a:!!!!", "a:" + base64.b64encode(b"short").decode(), f"{ONE},{ONE}", ":" + ONE[4:], " , "],
)
def test_malformed_keks_are_refused_without_showing_them(text):
    with override_settings(CONCLAVE_KEKS=text), pytest.raises(KeyringError) as caught:
        keyring.keks()
    assert text not in str(caught.value)
    assert ONE[4:] not in str(caught.value)


@override_settings(CONCLAVE_KEKS="", KEK_FILE=None)
def test_no_kek_at_all_is_an_error():
    with pytest.raises(KeyringError, match="CONCLAVE_KEKS"):
        keyring.keks()


def test_kek_file_is_created_once_and_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "var" / "keks"
    with override_settings(CONCLAVE_KEKS="", KEK_FILE=path):
        first, second = keyring.keks(), keyring.keks()

    assert first == second
    assert len(first) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_kek_file_readable_by_others_is_rejected(tmp_path):
    path = tmp_path / "keks"
    path.write_text(ONE)
    path.chmod(0o644)

    with override_settings(CONCLAVE_KEKS="", KEK_FILE=path), pytest.raises(KeyringError, match="chmod"):
        keyring.keks()


def test_processes_that_start_together_agree_on_the_kek_file(tmp_path):
    found = []
    start = threading.Barrier(8)

    def read():
        start.wait()
        found.append(keyring.keks())

    with override_settings(CONCLAVE_KEKS="", KEK_FILE=tmp_path / "keks"):
        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 8
    assert all(keks == found[0] for keks in found)


def test_new_kek_can_be_put_first_into_the_list():
    fresh = keyring.new_kek()

    with override_settings(CONCLAVE_KEKS=f"{fresh},{settings.CONCLAVE_KEKS}"):
        assert next(iter(keyring.keks())) == fresh.split(":")[0]


class Undo(Exception):
    """Exception that rolls back a scope."""


@pytest.fixture(autouse=True)
def _empty_cache():
    keyring.clear_cache()
    keyring._uncommitted.clear()
    yield
    keyring.clear_cache()


def make_tenant(slug):
    with platform_scope(reason="test"):
        return Tenant.objects.create(name=slug.title(), slug=slug)


def within(tenant):
    return tenant_scope(tenant, actor="system:test")


def seal(tenant, text=b"secret"):
    with within(tenant):
        return keyring.seal(tenant.pk, HERE, text)


def unseal(tenant, sealed):
    with within(tenant):
        return keyring.open_sealed(tenant.pk, HERE, sealed)


def cache(tenant, sealed):
    # Simulate the commit of the transaction that created the key; the test's transaction never commits.
    keyring._uncommitted.clear()
    unseal(tenant, sealed)


@pytest.fixture
def tenant(db):
    return make_tenant("acme")


def test_first_use_makes_one_key_that_stays(tenant):
    sealed = seal(tenant)
    seal(tenant)

    assert unseal(tenant, sealed) == b"secret"
    with platform_scope(reason="test"):
        key = TenantKey._base_manager.get(tenant=tenant)
    assert (key.version, key.kek_id, key.status) == (1, "t2", "current")


def test_each_tenant_has_a_separate_key(tenant):
    other = make_tenant("evil")
    sealed = seal(tenant)
    seal(other)

    with pytest.raises(DecryptionError):
        unseal(other, sealed)


def test_platform_has_a_separate_key_outside_scopes(db):
    sealed = keyring.seal(None, HERE, b"seed")

    assert keyring.open_sealed(None, HERE, sealed) == b"seed"
    with platform_scope(reason="test"):
        assert TenantKey._base_manager.get().tenant_id is None


def test_unknown_version_is_rejected(tenant):
    sealed = bytearray(seal(tenant))
    sealed[2] = 9

    with pytest.raises(DecryptionError, match="no data key v9"):
        unseal(tenant, bytes(sealed))


def test_cached_key_needs_no_query(tenant, django_assert_num_queries):
    sealed = seal(tenant)
    cache(tenant, sealed)

    with within(tenant), django_assert_num_queries(0):
        assert keyring.open_sealed(tenant.pk, HERE, sealed) == b"secret"


@pytest.mark.parametrize("version", [None, 1])
def test_cached_key_is_out_of_reach_of_other_scopes(tenant, version):
    cache(tenant, seal(tenant))

    with within(make_tenant("evil")), pytest.raises(KeyringError, match="out of reach"):
        keyring.get_data_key(tenant.pk, version)
    with pytest.raises(KeyringError, match="out of reach"):
        keyring.get_data_key(tenant.pk, version)
    with within(tenant), pytest.raises(KeyringError, match="out of reach"):
        keyring.get_data_key(None, version)


def use_and_undo(tenant):
    with within(tenant):
        sealed = keyring.seal(tenant.pk, HERE, b"lost")
        assert keyring.open_sealed(tenant.pk, HERE, sealed) == b"lost"
        raise Undo


def test_rolled_back_first_use_leaves_no_key_behind(tenant):
    with pytest.raises(Undo):
        use_and_undo(tenant)

    sealed = seal(tenant)
    keyring.clear_cache()
    assert unseal(tenant, sealed) == b"secret"


def test_key_of_a_rolled_back_transaction_is_not_cached(tenant):
    with pytest.raises(Undo):
        use_and_undo(tenant)
    # Another process creates the key first.
    kek_id, wrapped = keyring.wrap(KEY, tenant.pk, 1)
    with within(tenant):
        TenantKey._base_manager.create(tenant_id=tenant.pk, version=1, kek_id=kek_id, wrapped=wrapped)

    assert unseal(tenant, keyring.seal_with(KEY, 1, HERE, b"theirs")) == b"theirs"


def test_loser_of_a_race_takes_the_winner_s_key(tenant):
    sealed = seal(tenant)
    with within(tenant):
        keyring._create_key(tenant.pk, 1, "default")

    assert unseal(tenant, sealed) == b"secret"
    with within(tenant):
        assert TenantKey._base_manager.count() == 1


def test_key_that_was_replaced_underneath_is_not_used_from_the_cache(tenant):
    cache(tenant, seal(tenant))
    _, wrapped = keyring.wrap(KEY, tenant.pk, 1)
    with platform_scope(reason="a backup was restored"):
        TenantKey._base_manager.filter(tenant=tenant).update(wrapped=wrapped)

    assert keyring.open_with(KEY, HERE, seal(tenant)) == b"secret"


def test_cache_is_bounded(tenant, monkeypatch):
    monkeypatch.setattr(keyring, "CACHED_KEYS", 2)
    for number in range(4):
        other = make_tenant(f"t{number}")
        cache(other, seal(other))

    assert len(keyring._cache) == 2


@pytest.mark.django_db(transaction=True)
def test_concurrent_first_uses_agree_on_one_key():
    tenant = make_tenant("acme")
    start, found = threading.Barrier(4), []

    def use():
        with within(tenant):
            start.wait()
            found.append(keyring.seal(tenant.pk, HERE, b"secret"))
        connection.close()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keyring.clear_cache()

    assert [unseal(tenant, sealed) for sealed in found] == [b"secret"] * 4
    with within(tenant):
        assert TenantKey._base_manager.count() == 1


@pytest.mark.django_db(transaction=True)
def test_key_is_cached_after_commit():
    tenant = make_tenant("acme")
    seal(tenant)
    assert keyring._uncommitted == {}

    with pytest.raises(Undo):
        use_and_undo(make_tenant("evil"))
    unseal(tenant, seal(tenant))
    assert [slot[1] for slot in keyring._cache] == [tenant.pk]
