"""Platform API keys open the routes of provisioning alone, and nothing else opens these."""

import json
from datetime import timedelta

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.api.authentication import ApiKeyAuthentication
from accounts.api.tenants import PlatformTenantViewSet
from accounts.models import PlatformKey
from accounts.tests.factories import PlatformKeyFactory
from config.api.credentials import PlatformCredential
from config.api.permissions import ResourcePermission
from config.testing.roles import as_platform
from config.tests.resources import VIEWSETS
from tenants.models import Tenant

TENANTS = "/api/v1/tenants/"
NEW = {"slug": "intruder", "name": "Intruder", "admin_email": "intruder@example.org"}
pytestmark = pytest.mark.django_db


def bearer(secret):
    return Client(headers={"authorization": f"Bearer {secret}"})


def platform_client(**fields):
    return bearer(PlatformKeyFactory(**fields).secret)


def requests_to(tenant):
    """Return method, URL and body of each operation."""
    own = f"{TENANTS}{tenant.pk}/"
    return [
        ("get", TENANTS, None),
        ("get", own, None),
        ("post", TENANTS, NEW),
        ("post", f"{own}suspend/", {}),
        ("post", f"{own}resume/", {}),
        ("delete", f"{own}?name={tenant.name}", None),
        ("get", f"{own}deletion/", None),
    ]


def attack(attacks, client, operations, label):
    for method, url, body in operations:
        data = "" if body is None else json.dumps(body)
        response = client.generic(method.upper(), url, data, content_type="application/json")
        attacks.attempt(f"{label}: {method} {url}", succeeded=response.status_code < 400)


def intruders(api_client, admin_client, staff_client):
    yield "anonymous", Client()
    yield "administrator's key", api_client()
    yield "administrator's session", admin_client
    yield "session of platform staff", staff_client
    yield "revoked platform key", platform_client(status="revoked")
    yield "expired platform key", platform_client(expires_at=timezone.now() - timedelta(hours=1))
    yield "mistyped platform key", bearer(PlatformKeyFactory().secret[:-1] + "!")


@pytest.mark.security("platform access")
def test_nothing_but_a_platform_key_provisions_tenants(
    attacks, api_client, admin_client, staff_client, tenant
):
    for label, client in intruders(api_client, admin_client, staff_client):
        attack(attacks, client, requests_to(tenant), label)


@pytest.mark.security("platform access", mutation=True)
def test_without_its_authentication_a_tenants_key_provisions_tenants(
    attacks, api_client, tenant, monkeypatch
):
    monkeypatch.setattr(PlatformTenantViewSet, "authentication_classes", [ApiKeyAuthentication])
    monkeypatch.setattr(PlatformTenantViewSet, "permission_classes", [ResourcePermission])
    attack(attacks, api_client(), requests_to(tenant), "administrator's key")


@pytest.mark.security("platform access")
def test_a_platform_key_opens_no_route_of_a_tenant(attacks, tenant):
    client = platform_client()
    urls = [f"/api/v1/{prefix}/" for prefix in VIEWSETS if "<" not in prefix]
    for url in [*urls, "/api/v1/tenant/", "/api/v1/me/", "/v1/models"]:
        for headers in ({}, {"x-tenant": tenant.slug}):
            response = client.get(url, headers=headers)
            attacks.attempt(url, succeeded=response.status_code not in (401, 404))


@pytest.mark.security("platform access")
def test_a_platform_key_sees_neither_profile_nor_settings_of_a_tenant(attacks, tenant):
    secret = {"contact_email": "private@example.org", "settings": {"colour": "private"}}
    with as_platform():
        Tenant.objects.filter(pk=tenant.pk).update(**secret)
    client = platform_client()
    for query in (
        "",
        "?fields=contact_email,settings",
        "?expand=settings",
        "?contact_email=private@example.org",
    ):
        for url in (TENANTS, f"{TENANTS}{tenant.pk}/"):
            response = client.get(url + query)
            found = b"private" in response.content and response.status_code == 200
            attacks.attempt(url + query, succeeded=found or (bool(query) and response.status_code == 200))


@pytest.mark.security("forged scope")
def test_a_platform_key_acts_within_its_scopes(attacks, tenant):
    operations = requests_to(tenant)
    allowed = {"tenants:read": (0, 1, 6), "tenants:write": (2, 3, 4), "tenants:delete": (5,)}
    for scope, numbers in allowed.items():
        others = [each for number, each in enumerate(operations) if number not in numbers]
        attack(attacks, platform_client(scopes=[scope]), others, scope)


@pytest.mark.security("forged scope", mutation=True)
def test_without_the_check_of_scopes_a_reading_key_creates_tenants(attacks, tenant, monkeypatch):
    monkeypatch.setattr(PlatformCredential, "allows", lambda *_: True)
    attack(attacks, platform_client(scopes=["tenants:read"]), requests_to(tenant), "reading key")


@pytest.mark.security("platform access")
@pytest.mark.parametrize("statement", ["SELECT key_hash FROM {0}", "UPDATE {0} SET status = 'active'"])
def test_a_tenant_cannot_reach_platform_keys_in_the_database(attacks, scope, statement):
    PlatformKeyFactory()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement.format(PlatformKey._meta.db_table))
            attacks.attempt(statement, succeeded=cursor.rowcount > 0)
    except ProgrammingError as error:
        attacks.attempt(statement, succeeded=error.__cause__.sqlstate != "42501")
