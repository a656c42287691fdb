import pytest
from allauth.account.models import EmailAddress

from accounts.adapters import AccountAdapter, MfaAdapter
from accounts.choices import MemberStatus, UserStatus
from accounts.models import User
from accounts.services.members import LastAdministratorError
from accounts.services.users import restore_user, soft_delete_user
from accounts.tests.factories import InvitationFactory
from config.encryption.keyring import DecryptionError
from config.testing.fixtures import add_member
from config.testing.roles import as_identity, as_platform

FORM = {
    "email": "visitor@example.com",
    "password1": "correct horse battery",
    "password2": "correct horse battery",
}


def test_second_factors_are_encrypted_with_the_platforms_key(db):
    adapter = MfaAdapter()
    stored = adapter.encrypt("JBSWY3DPEHPK3PXP")
    assert "JBSWY3DPEHPK3PXP" not in stored
    assert adapter.decrypt(stored) == "JBSWY3DPEHPK3PXP"


def test_a_changed_second_factor_is_refused(db):
    adapter = MfaAdapter()
    stored = adapter.encrypt("JBSWY3DPEHPK3PXP")
    with pytest.raises(DecryptionError):
        adapter.decrypt(stored[:-8] + "AAAAAAA=")


def test_public_sign_up_requires_the_setting(client, db, settings):
    client.post("/accounts/signup/", FORM)
    assert not User.objects.filter(email="visitor@example.com").exists()
    settings.SIGNUP_OPEN = True
    client.post("/accounts/signup/", FORM)
    assert User.objects.filter(email="visitor@example.com").exists()


def sign_in(client):
    client.logout()
    return client.post("/accounts/login/", {"login": FORM["email"], "password": FORM["password1"]})


@pytest.fixture
def visitor(client, db, settings):
    """A user of public sign-up with a verified address."""
    settings.SIGNUP_OPEN = True
    client.post("/accounts/signup/", FORM)
    user = User.objects.get(email=FORM["email"])
    EmailAddress.objects.filter(user=user).update(verified=True)
    return user


def test_an_account_of_public_sign_up_waits_for_platform_staff(client, visitor, staff_client):
    assert visitor.status == UserStatus.PENDING_APPROVAL
    assert sign_in(client)["Location"] == "/accounts/inactive/"
    staff_client.post("/console/platform/", {"reason": "approvals"})
    staff_client.post("/console/accounts/user/", {"action": "approve", "_selected_action": [str(visitor.pk)]})
    visitor.refresh_from_db()

    assert visitor.status == UserStatus.ACTIVE
    assert "_auth_user_id" in (sign_in(client) and client.session)


@pytest.mark.security("unapproved account")
def test_a_waiting_account_cannot_sign_in(client, visitor, attacks):
    sign_in(client)
    attacks.attempt(succeeded="_auth_user_id" in client.session)


@pytest.mark.security("unapproved account", mutation=True)
def test_without_the_check_a_waiting_account_signs_in(client, visitor, attacks, monkeypatch):
    monkeypatch.delattr(AccountAdapter, "pre_login")
    sign_in(client)
    attacks.attempt(succeeded="_auth_user_id" in client.session)


def test_an_invitation_approves_a_waiting_account(client, visitor, scope):
    InvitationFactory(email=visitor.email)
    with as_identity():
        sign_in(client)
        visitor.refresh_from_db()

    assert visitor.status == UserStatus.ACTIVE


def test_a_deleted_account_is_restored_without_its_memberships(member, tenant):
    other = add_member(tenant, "admin")
    with as_platform():
        soft_delete_user(other.user)
        other.refresh_from_db()
        assert (other.status, other.user.is_active) == (MemberStatus.INACTIVE, False)
        restore_user(other.user)
        assert User.objects.get(pk=other.user.pk).is_active
        with pytest.raises(LastAdministratorError):
            soft_delete_user(member.user)
        assert User.objects.get(pk=member.user.pk).deleted_at is None
