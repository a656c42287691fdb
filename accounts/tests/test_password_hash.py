"""Passwords are checked and set although no role of the application reads or writes hashes."""

import argon2
import pytest
from allauth.account.app_settings import PASSWORD_RESET_TOKEN_GENERATOR
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.db import ProgrammingError, connection, transaction
from django.test import Client, override_settings
from django.utils import timezone

from accounts import passwords
from accounts.fields import UNREADABLE_HASH
from accounts.models import Membership, User
from accounts.passwords import encode_password, password_scope
from accounts.tests.factories import PASSWORD, UserFactory
from config.db.constraints import RowLevelSecurity
from config.db.session import ScopeError
from config.settings import base
from config.tenancy.scope import tenant_scope

NEW = "another passphrase"


def parameters(user):
    with password_scope(user.pk) as cursor:
        cursor.execute("SELECT conclave_password_parameters()")
        return cursor.fetchone()[0]


@pytest.fixture
def real_hashers():
    with override_settings(PASSWORD_HASHERS=base.PASSWORD_HASHERS):
        yield


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT password FROM accounts_user",
        "SELECT * FROM accounts_user",
        "SELECT to_jsonb(u) FROM accounts_user u",
        "SELECT id FROM accounts_user WHERE password LIKE 'a%%'",
        "SELECT id FROM accounts_user ORDER BY password",
    ],
)
def test_the_database_refuses_the_hash(statement, scope):
    with connection.cursor() as cursor:
        with pytest.raises(ProgrammingError) as refused, transaction.atomic():
            cursor.execute(statement)
        assert refused.value.__cause__.sqlstate == "42501"
        cursor.execute("SELECT email FROM accounts_user")
        assert len(cursor.fetchall()) == 1


def test_users_are_loaded_without_the_hash(member, tenant):
    with tenant_scope(tenant, user=member.user):
        inside = Membership.objects.select_related("user").get(pk=member.pk).user
        assert list(User.objects.values_list("password", flat=True)) == [UNREADABLE_HASH]
    outside = User.objects.get()
    assert inside.password == outside.password == member.user.password
    assert outside.password.startswith(UNREADABLE_HASH)
    assert not outside.check_password(outside.password)


def test_a_password_is_checked_outside_scopes_only(member, tenant):
    user = User.objects.get(pk=member.user_id)
    assert user.check_password(PASSWORD)
    assert [user.check_password(wrong) for wrong in ("", "wrong", None)] == [False] * 3
    with tenant_scope(tenant, user=user), pytest.raises(ScopeError):
        user.check_password(PASSWORD)


def test_saving_a_loaded_user_keeps_the_password(member, tenant):
    with tenant_scope(tenant, user=member.user):
        loaded = User.objects.get()
    loaded.first_name = "Ada"
    loaded.save()
    kept = User.objects.get(pk=member.user_id)
    assert (kept.first_name, kept.check_password(PASSWORD)) == ("Ada", True)


def test_a_copy_of_a_user_has_no_password(member):
    copy = User.objects.get(pk=member.user_id)
    copy.pk, copy.email, copy._state.adding = None, "copy@example.org", True
    with pytest.raises(ValueError, match="has no password hash"):
        copy.save()


@pytest.mark.parametrize("fields", [None, ["password"]])
def test_a_new_password_replaces_the_old_one(member, fields):
    user = User.objects.get(pk=member.user_id)
    before, user.first_name = user.password, "Ada"
    user.set_password(NEW)
    assert user.check_password(NEW)
    user.save(update_fields=fields)
    stored = User.objects.get(pk=user.pk)
    assert (stored.check_password(NEW), stored.check_password(PASSWORD)) == (True, False)
    assert (stored.first_name == "Ada") == (fields is None)
    assert before != user.password == stored.password


def test_saving_other_columns_keeps_a_new_password_for_later(member):
    member.user.set_password(NEW)
    member.user.save(update_fields=["first_name"])
    assert User.objects.get().check_password(PASSWORD)
    member.user.save()
    assert User.objects.get().check_password(NEW)


def test_a_user_without_a_usable_password(member):
    member.user.set_unusable_password()
    member.user.save()
    for user in (User.objects.get(), UserFactory(password=None)):
        assert (user.has_usable_password(), user.password_changed_at) == (False, None)
        assert not user.check_password("")
        assert parameters(user) is None


def test_a_new_password_ends_other_sessions_and_links_only(member, admin_client):
    tokens, other = PASSWORD_RESET_TOKEN_GENERATOR(), Client()
    other.force_login(member.user)
    link = tokens.make_token(User.objects.get())
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert tokens.check_token(User.objects.get(), link)
    assert admin_client.post("/accounts/password/change/", form).status_code == 302
    assert admin_client.get("/console/").status_code == 200
    assert other.get("/console/").status_code == 302
    assert not tokens.check_token(User.objects.get(), link)


def test_an_outdated_hash_is_replaced_and_sessions_stay(member, admin_client, real_hashers):
    assert parameters(member.user).startswith("md5$")
    with override_settings(PASSWORD_HASHERS=[*base.PASSWORD_HASHERS, *_hashers_of_tests()]):
        assert authenticate(email=member.user.email, password="wrong") is None
        assert parameters(member.user).startswith("md5$")
        assert authenticate(email=member.user.email, password=PASSWORD) == member.user
    assert parameters(member.user).startswith("argon2$argon2id$")
    assert authenticate(email=member.user.email, password=PASSWORD) == member.user
    assert admin_client.get("/console/").status_code == 200


def test_a_password_that_changes_during_the_check_stays(member, real_hashers, monkeypatch):
    new = "another long test password"

    def change_meanwhile(raw_password):
        monkeypatch.undo()
        passwords.store_hash(member.user_id, make_password(new), timezone.now())
        return make_password(raw_password)

    with override_settings(PASSWORD_HASHERS=[*base.PASSWORD_HASHERS, *_hashers_of_tests()]):
        monkeypatch.setattr(passwords.hashers, "make_password", change_meanwhile)
        authenticate(email=member.user.email, password=PASSWORD)
    assert authenticate(email=member.user.email, password=new) == member.user


def _hashers_of_tests():
    return ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_the_database_shows_parameters_without_the_digest(member, real_hashers):
    for encoded, digest in (
        (make_password(PASSWORD, hasher="argon2"), 43),
        (make_password(PASSWORD, hasher="bcrypt_sha256"), 31),
    ):
        passwords.store_hash(member.user_id, encoded, None)
        assert parameters(member.user) == encoded[:-digest] + "A" * digest
        assert encode_password(PASSWORD, parameters(member.user)) == encoded


def test_an_imported_hash_has_other_parameters_and_a_binary_salt(real_hashers):
    salt = bytes(range(240, 256))
    encoded = (
        "argon2"
        + argon2.low_level.hash_secret(
            PASSWORD.encode(), salt, 1, 64, 1, 24, argon2.low_level.Type.I
        ).decode()
    )
    assert Argon2PasswordHasher().verify(PASSWORD, encoded)
    assert encode_password(PASSWORD, encoded) == encoded


@pytest.mark.parametrize("encoded", ["plain", "unknown$a$b"])
def test_a_hash_of_an_unknown_algorithm_fits_no_password(member, encoded):
    passwords.store_hash(member.user_id, encoded, None)
    assert not User.objects.get().check_password(encoded)
    assert encoded.rpartition("$")[2] not in parameters(member.user)


def test_a_column_added_later_is_granted_unless_it_is_withheld():
    rule = RowLevelSecurity(
        name="x_rls", identity="SELECT", hidden=("a", "b", "c"), withheld=("b", "c"), secret=("c",)
    )
    readers = {
        "name": "conclave_reader, conclave_app, conclave_operator, conclave_identity",
        "a": "conclave_app, conclave_operator, conclave_identity",
        "b": "conclave_operator, conclave_identity",
    }
    for column, roles in readers.items():
        assert rule.column_added('"x"', column) == f'GRANT SELECT ("{column}") ON "x" TO {roles}'
    assert rule.column_added('"x"', "c") == ""
