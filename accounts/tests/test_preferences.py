"""Settings of users, tenants and the platform that change the console and the API."""

import re
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.services.preferences import Preferences, get_preferences
from accounts.tests.factories import UserSettingsFactory
from agents.tests.factories import AgentFactory
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.testing.roles import as_platform
from conversations.admin.dashboard import get_midnight, messages_per_day
from tenants.services.branding import MIN_CONTRAST, _contrast_to_white, build_palette
from tenants.tests.factories import SystemSettingFactory

pytestmark = pytest.mark.django_db
LOGO = "data:image/png;base64,iVBORw0KGgo="


def choose(member, **fields):
    with tenant_scope(member.tenant_id, user=member.user_id):
        return UserSettingsFactory(user_id=member.user_id, **fields)


def brand(tenant, **branding):
    tenant.branding = branding
    with tenant_scope(tenant, actor="system:test"):
        tenant.save(update_fields=["branding"])


def get_page(client, name="admin:index", *args):
    response = client.get(reverse(name, args=args))
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize(
    ("zone", "shown"), [("Asia/Tokyo", "2026-11-30 05:30:00"), ("UTC", "2026-11-29 20:30:00")]
)
def test_console_shows_times_in_the_users_zone(member, admin_client, zone, shown):
    choose(member, timezone=zone)
    moment = datetime(2026, 11, 29, 20, 30, tzinfo=UTC)
    with tenant_scope(member.tenant_id, user=member.user):
        agent = AgentFactory()
        type(agent).objects.filter(pk=agent.pk).update(created_at=moment)

    assert shown in get_page(admin_client, "admin:agents_agent_change", agent.pk)


def test_language_translates_djangos_texts_and_only_in_the_request(member, admin_client):
    assert '<html lang="en"' in get_page(admin_client)
    settings = choose(member, language="de-AT")

    for name in ("admin:index", "admin:password_change"):
        assert '<html lang="de"' in get_page(admin_client, name)
    page = get_page(admin_client, "admin:accounts_usersettings_change", settings.pk)
    catalog = get_page(admin_client, "admin:jsi18n")

    assert "Sichern" in page
    assert "Heute" in catalog
    assert '<html lang="en"' in Client().get("/accounts/login/").content.decode()


@pytest.mark.parametrize(("theme", "shown"), [("dark", "dark"), ("light", "light"), ("system", "auto")])
def test_theme_replaces_that_of_the_browser(member, admin_client, theme, shown):
    browser = get_page(admin_client)
    choose(member, theme=theme)
    page = get_page(admin_client)

    assert ('x-data="theme()"' in browser, "switchTheme" in browser) == (True, True)
    assert (f"theme(&#x27;{shown}&#x27;)" in page or f"theme('{shown}')" in page) is True
    assert "switchTheme" not in page


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_days_of_the_overview_begin_at_the_users_midnight(scope, zone):
    # At any time, it is another day than in UTC in one of these zones.
    with timezone.override(zone):
        midnight, today = get_midnight(), timezone.localdate()
        labels = messages_per_day(midnight)["labels"]

    assert (midnight.date(), midnight.hour, labels[-1]) == (today, 0, f"{today:%d %b}")


def test_colleagues_keep_their_own_settings(member, admin_client):
    colleague = add_member(member.tenant)
    choose(colleague, theme="light", language="de", timezone="Asia/Tokyo")

    with tenant_scope(member.tenant_id, user=member.user):
        assert get_preferences(member.user_id) == Preferences()
    assert '<html lang="en"' in get_page(admin_client)


@pytest.mark.parametrize("language", ["", "klingon", "\0"])
def test_unknown_values_of_older_rows_have_no_effect(language):
    preferences = Preferences("dark", language, "Mars/Olympus")

    assert (preferences.locale, preferences.zone) == ("en", None)


def test_api_reports_errors_in_the_users_language(api_client):
    client = api_client()
    body = {"purpose": "coding"}

    def detail():
        answer = client.post("/api/v1/model-choices/", body, content_type="application/json")
        return answer.json()["errors"][0]["detail"]

    before = detail()
    changed = client.patch("/api/v1/me/settings/", {"language": "de"}, content_type="application/json")

    assert (before, changed.status_code) == ("This field is required.", 200)
    assert detail() == "Dieses Feld ist zwingend erforderlich."
    wrong = client.patch("/api/v1/me/settings/", {"language": "klingon"}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (400, "invalid_language")


def test_branding_replaces_name_colour_and_logo(tenant, admin_client):
    plain = get_page(admin_client)
    brand(tenant, name="Acme & Sons", primary_color="#0a7d55", logo=LOGO, slogan="kept")
    branded = get_page(admin_client)

    assert ("Acme &amp; Sons" in plain, LOGO in plain) == (False, False)
    assert "Acme &amp; Sons" in branded
    assert f'<img src="{LOGO}"' in branded
    assert "--color-primary-600: rgb(10, 125, 85)" in branded


def test_branding_of_another_tenant_is_not_shown(tenant, other_tenant, admin_client):
    brand(other_tenant, name="Rival")

    assert "Rival" not in get_page(admin_client)


@pytest.mark.parametrize(
    "branding",
    [
        {"primary_color": "red; } body { display: none"},
        {"logo": "https://tracker.example/pixel.png"},
        {"logo": "javascript:alert(1)"},
        [],
    ],
)
def test_branding_must_not_load_or_inject_anything(tenant, admin_client, api_client, branding):
    response = api_client().patch("/api/v1/tenant/", {"branding": branding}, content_type="application/json")
    brand(tenant, **(branding or {"name": 3}))

    assert response.status_code == 400
    assert not re.search("display: none|tracker|javascript:alert", get_page(admin_client))


@pytest.mark.parametrize("color", ["#ffff00", "#0a7d55", "#FFFFFF", "#000000"])
def test_white_text_is_readable_on_the_brands_colour(color):
    shade = tuple(map(int, re.findall(r"\d+", build_palette(color)["600"])))

    assert _contrast_to_white(shade) >= MIN_CONTRAST


def test_notice_of_the_platform_is_shown_if_public(admin_client):
    notice = SystemSettingFactory(key="console.notice", value="Maintenance <b>tonight</b>", is_public=False)
    hidden = get_page(admin_client)
    with as_platform():
        type(notice).objects.filter(pk=notice.pk).update(is_public=True)
    shown = get_page(admin_client)

    assert "Maintenance" not in hidden
    assert "Maintenance &lt;b&gt;tonight&lt;/b&gt;" in shown
