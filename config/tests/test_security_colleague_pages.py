"""A colleague in the same tenant reaches no row of another person by API or console."""

from types import SimpleNamespace
from uuid import UUID

import pytest
from django.contrib import admin
from django.test import Client

from accounts.models import User
from accounts.tests.factories import ApiKeyFactory
from config.tenancy.scope import tenant_scope
from config.testing.isolation.colleagues import list_person_models, without_person_clause
from config.testing.isolation.fixtures import create_attack_fixture
from config.tests.resources import ROUTES, address

PERSONAL = set(list_person_models())
PREFIXES = sorted(prefix for prefix, model in ROUTES.items() if model in PERSONAL)
JSON = "application/json"


@pytest.fixture
def attack_fixture(transactional_db):
    return create_attack_fixture(1)


@pytest.fixture
def colleague(attack_fixture):
    """Client of an administrator who owns no row."""
    ((tenant, user),) = attack_fixture.colleagues.items()
    with tenant_scope(tenant, user=UUID(user)):
        key = ApiKeyFactory(user_id=UUID(user))
    client = Client(headers={"authorization": f"Bearer {key.secret}"})
    client.force_login(User.objects.get(pk=user))
    return client


def victim_row(attack_fixture, model):
    values = attack_fixture.rows[model._meta.db_table, attack_fixture.tenants[0]]
    return SimpleNamespace(pk=values["id"], **values)


def attack_resource(client, prefix, row):
    """Return the status or the finding of each request that reached the row."""
    listed, found = address(prefix, row), {}
    response = client.get(f"{listed}?limit=200")
    found["list"] = response.status_code == 200 and row.pk in response.content.decode()
    url = f"{listed}{row.pk}/"
    found["detail"] = client.get(url).status_code == 200
    found["update"] = client.patch(url, {}, content_type=JSON).status_code < 300
    found["delete"] = client.delete(url).status_code < 300
    return found


def attack_pages(client, model, row):
    page = f"/console/{model._meta.app_label}/{model._meta.model_name}/"
    found = {"changelist": f"{page}{row.pk}/" in client.get(page).content.decode()}
    for name in ("change", "delete", "history"):
        found[name] = client.get(f"{page}{row.pk}/{name}/").status_code == 200
    found["save"] = client.post(f"{page}{row.pk}/change/", {}).status_code < 400
    return found


@pytest.mark.security("colleague in API")
def test_a_colleague_reaches_no_row_by_api(attack_fixture, colleague, attacks):
    assert len(PREFIXES) > 20
    for prefix in PREFIXES:
        for name, succeeded in attack_resource(
            colleague, prefix, victim_row(attack_fixture, ROUTES[prefix])
        ).items():
            attacks.attempt(f"{name} of {prefix}", succeeded=succeeded)


@pytest.mark.security("colleague in console")
def test_a_colleague_reaches_no_row_in_the_console(attack_fixture, colleague, attacks):
    for model in sorted(PERSONAL & admin.site._registry.keys(), key=lambda model: model._meta.label):
        for name, succeeded in attack_pages(colleague, model, victim_row(attack_fixture, model)).items():
            attacks.attempt(f"{name} of {model._meta.label}", succeeded=succeeded)


@pytest.mark.security("colleague in API", mutation=True)
def test_a_removed_clause_opens_the_api(attack_fixture, colleague, attacks):
    row = victim_row(attack_fixture, ROUTES["projects"])
    with without_person_clause(attack_fixture, table="workflows_project"):
        for name, succeeded in attack_resource(colleague, "projects", row).items():
            attacks.attempt(name, succeeded=succeeded)


@pytest.mark.security("colleague in console", mutation=True)
def test_a_removed_clause_opens_the_console(attack_fixture, colleague, attacks):
    row = victim_row(attack_fixture, ROUTES["projects"])
    with without_person_clause(attack_fixture, table="workflows_project"):
        for name, succeeded in attack_pages(colleague, ROUTES["projects"], row).items():
            attacks.attempt(name, succeeded=succeeded)
