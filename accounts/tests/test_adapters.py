import pytest

from accounts.adapters import MfaAdapter
from config.encryption.keyring import DecryptionError


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
    from accounts.models import User

    form = {
        "email": "visitor@example.com",
        "password1": "correct horse battery",
        "password2": "correct horse battery",
    }
    client.post("/accounts/signup/", form)
    assert not User.objects.filter(email="visitor@example.com").exists()
    settings.SIGNUP_OPEN = True
    client.post("/accounts/signup/", form)
    assert User.objects.filter(email="visitor@example.com").exists()
