"""Tests that tenant roles can neither read nor overwrite password hashes."""

import pytest
from django.db import ProgrammingError, connection, transaction

from accounts.fields import UNREADABLE_HASH
from accounts.models import Membership, User
from accounts.tests.factories import PASSWORD
from config.db.constraints import RowLevelSecurity


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


def test_people_are_loaded_without_it_inside_and_with_it_outside(member, scope):
    inside = Membership.objects.select_related("user").get(pk=member.pk).user

    assert inside.password == User.objects.get().password == UNREADABLE_HASH
    assert list(User.objects.values_list("password", flat=True)) == [UNREADABLE_HASH]
    assert not inside.check_password(UNREADABLE_HASH)


def test_sign_in_reads_it(member):
    assert User.objects.get(pk=member.user_id).check_password(PASSWORD)


def test_saving_a_deferred_user_keeps_the_password(member, tenant):
    from config.tenancy.scope import tenant_scope

    with tenant_scope(tenant, user=member.user):
        loaded = User.objects.get()
    with pytest.raises(ValueError, match="loaded inside"), transaction.atomic():
        loaded.save()
    loaded.first_name = "Ada"
    loaded.save(update_fields=["first_name"])

    kept = User.objects.get(pk=member.user_id)
    assert kept.first_name == "Ada"
    assert kept.check_password(PASSWORD)


def test_a_column_added_later_is_granted_unless_it_is_withheld():
    rule = RowLevelSecurity(name="x_rls", hidden=("secret", "hash"), withheld=("hash",))

    assert rule.column_added('"x"', "name") == 'GRANT SELECT ("name") ON "x" TO conclave_reader, conclave_app'
    assert rule.column_added('"x"', "secret") == 'GRANT SELECT ("secret") ON "x" TO conclave_app'
    assert rule.column_added('"x"', "hash") == ""
