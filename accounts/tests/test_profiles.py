"""Tests of user-owned rows: creation by PATCH, privacy and JSON schemas."""

import pytest
from django.core.exceptions import ValidationError

from accounts.choices import DEFAULT_MODELS, ModelPurpose
from accounts.models import UserProfile
from accounts.schemas import SchemaValidator, validate_timezone
from accounts.tests.factories import UserModelChoiceFactory, UserProfileFactory
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.testing.roles import as_identity

pytestmark = pytest.mark.django_db


def patch(client, address, body):
    return client.patch(f"/api/v1/{address}/", body, content_type="application/json")


def test_first_patch_makes_the_row_and_the_next_changes_it(api_client):
    client = api_client(role="user")
    assert client.get("/api/v1/me/settings/").status_code == 404

    settings = patch(client, "me/settings", {"theme": "light"}).json()
    changed = patch(client, "me/settings", {"timezone": "Europe/Rome"}).json()

    assert settings["user"] == str(client.key.user_id)
    assert settings["notification_preferences"]["discovery_complete"] is True
    assert changed["id"] == settings["id"]
    assert (changed["theme"], changed["timezone"]) == ("light", "Europe/Rome")
    assert client.get("/api/v1/me/settings/").json() == changed


def test_administrator_does_not_see_a_colleagues_rows(api_client, tenant):
    colleague = add_member(tenant).user
    with tenant_scope(tenant, user=colleague):
        profile, choice = UserProfileFactory(), UserModelChoiceFactory()
    client = api_client(role="admin")

    assert client.get("/api/v1/me/profile/").status_code == 404
    assert client.get(f"/api/v1/model-choices/{choice.pk}/").status_code == 404
    assert client.get("/api/v1/model-choices/").json()["results"] == []
    with tenant_scope(tenant, user=client.key.user):
        assert not UserProfile.unscoped.filter(pk=profile.pk).exists()


def test_work_profile_errors_name_the_path(api_client):
    wrong = {"personal_goals": [{"title": "Run"}, {"title": "Read", "progress": 2}], "agent_settings": []}

    response = patch(api_client(), "me/work-profile", wrong)

    details = {error["pointer"].split("/")[1]: error["detail"] for error in response.json()["errors"]}
    assert response.status_code == 400
    assert details["personal_goals"].startswith("1.progress: ")
    assert set(details) == {"personal_goals", "agent_settings"}


def test_tokens_have_no_place_among_git_accounts():
    account = {"provider": "github", "username": "ada", "token": "x"}

    with pytest.raises(ValidationError) as caught:
        SchemaValidator("GitIntegrations")([account])

    assert caught.value.messages == ["0.token: Extra inputs are not permitted."]


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "\0"])
def test_time_zone_must_be_known(name):
    with pytest.raises(ValidationError):
        validate_timezone(name)


def test_seventeen_purposes_have_a_default_model():
    assert len(ModelPurpose) == 17
    assert set(DEFAULT_MODELS) == set(ModelPurpose)
    assert DEFAULT_MODELS[ModelPurpose.WAVE_FUNCTION_REFINEMENT] == "llama3.1:8b"


def test_second_choice_for_a_purpose_is_a_conflict(api_client):
    client, wanted = api_client(), {"purpose": "coding", "model": "qwen3:4b"}
    answers = [
        client.post("/api/v1/model-choices/", wanted, content_type="application/json") for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 409]


def test_second_factor_is_that_of_the_sign_in(api_client):
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    client, colleague = api_client(), api_client()
    url, empty = "/api/v1/me/two-factor/", {"is_enabled": False, "created_at": None, "last_used_at": None}
    assert client.get(url).json() == empty
    with as_identity():
        row = TOTP.activate(client.key.user, generate_totp_secret()).instance
        row.record_usage()
    shown = client.get(url).json()
    assert shown.keys() == empty.keys()
    assert (shown["is_enabled"], shown["last_used_at"] > shown["created_at"]) == (True, True)
    assert colleague.get(url).json() == empty


def test_setting_a_password_notes_the_time(member):
    before = member.user.password_changed_at
    member.user.set_password("another good one")

    assert before is not None
    assert member.user.password_changed_at > before
