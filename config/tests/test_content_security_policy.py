"""Pages keep to a Content-Security-Policy without `unsafe-inline` and `unsafe-eval`."""

from pathlib import Path

import pytest
from django.apps import apps
from django.template import engines
from django.urls import reverse

from config.admin.template_loader import PAGE_STATE, REPLACEMENTS
from config.testing.content_security import directives, find_violations

PUBLIC_PAGES = [
    "/accounts/login/",
    "/accounts/password/reset/",
    "/api/v1/docs/",
    "/api/v1/redoc/",
    "/nowhere/",
]
LIBRARY_LOADER = "django.template.loaders.app_directories.Loader"


@pytest.mark.security("content security policy")
@pytest.mark.parametrize("path", [*PUBLIC_PAGES, "/console/", "/accounts/2fa/", "/accounts/password/change/"])
def test_other_pages_have_nothing_that_the_policy_blocks(path, client, admin_client, attacks):
    response = (client if path in PUBLIC_PAGES else admin_client).get(path)
    assert response["Content-Type"].startswith("text/html")
    found = find_violations(response)
    attacks.attempt(f"{path}: {found}", succeeded=bool(found))


@pytest.mark.security("content security policy", mutation=True)
def test_templates_of_libraries_need_to_be_adapted(member, admin_client, monkeypatch, attacks):
    engine = engines["django"].engine
    monkeypatch.setattr(engine, "template_loaders", [engine.find_template_loader(LIBRARY_LOADER)])
    found = find_violations(admin_client.get(reverse("admin:agents_agent_changelist")))
    attacks.attempt(succeeded=bool(found))
    assert {"<style> without the nonce"} <= set(found)


def test_each_response_has_its_own_nonce(client):
    sources = [directives(client.get("/accounts/login/"))["script-src"] for _ in range(2)]
    assert sources[0] != sources[1]


def find_library_template(name):
    folders = [Path(config.path) / "templates" for config in apps.get_app_configs()]
    return next(folder / name for folder in folders if (folder / name).is_file()).read_text()


@pytest.mark.parametrize(
    ("name", "old"), [(name, old) for name, pairs in REPLACEMENTS.items() for old, _ in pairs]
)
def test_replaced_text_occurs_in_the_library(name, old):
    assert old in find_library_template(name)


def test_state_of_the_page_is_replaced():
    assert len(PAGE_STATE.findall(find_library_template("unfold/layouts/skeleton.html"))) == 1
