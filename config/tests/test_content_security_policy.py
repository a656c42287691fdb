"""Pages keep to a Content-Security-Policy without `unsafe-inline` and `unsafe-eval`."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.apps import apps
from django.template import engines
from django.urls import reverse

from config.admin.template_loader import PAGE_STATE, REPLACEMENTS
from config.tests.test_admin_pages import SCOPED, address, get_model_label, make

FORBIDDEN = ("unsafe-inline", "unsafe-eval", "strict-dynamic", "*")
# Syntax and names that Alpine's CSP build does not evaluate.
UNSUPPORTED = re.compile(r";\s*\S|=>|`|\b(if|new|window|document|localStorage|navigator)\b")
STRING = re.compile(r"'[^']*'")
ALPINE = re.compile(r"^(x-(data|init|show|text|model|if|bind|on|effect)|@|:)")
PUBLIC_PAGES = [
    "/accounts/login/",
    "/accounts/password/reset/",
    "/api/v1/docs/",
    "/api/v1/redoc/",
    "/nowhere/",
]
LIBRARY_LOADER = "django.template.loaders.app_directories.Loader"


class ViolationParser(HTMLParser):
    """Parser that collects parts of a page that the policy would block."""

    def __init__(self, nonce):
        super().__init__()
        self.nonce, self.violations = nonce, []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        inline = tag == "style" or (
            tag == "script" and "src" not in named and named.get("type") != "application/json"
        )
        if inline and (not self.nonce or named.get("nonce") != self.nonce):
            self.violations.append(f"<{tag}> without the nonce")
        for name, value in attrs:
            value = value or ""
            if name == "style" or name.startswith("on") or value.strip().lower().startswith("javascript:"):
                self.violations.append(f"<{tag} {name}={value!r}>")
            if ALPINE.match(name) and UNSUPPORTED.search(STRING.sub("''", value)):
                self.violations.append(f"<{tag} {name}={value!r}>")


def directives(response):
    parts = (part.split() for part in response["Content-Security-Policy"].split(";"))
    return {words[0]: words[1:] for words in parts if words}


def find_violations(response):
    policy = directives(response)
    nonces = [source[7:-1] for source in policy.get("script-src", []) if source.startswith("'nonce-")]
    parser = ViolationParser(nonces[0] if nonces else "")
    parser.feed(response.content.decode())
    allowed = " ".join(source for sources in policy.values() for source in sources)
    missing = {"base-uri", "form-action", "frame-ancestors", "object-src"} - policy.keys()
    return [*parser.violations, *(word for word in FORBIDDEN if word in allowed), *missing]


def open_pages(model_admin, member, client):
    """Open the list, a row and the add form, which exists where rows may be added."""
    (row,) = make(model_admin, member)
    changelist, change, add = (
        client.get(address(model_admin, page, *ids))
        for page, ids in (("changelist", ()), ("change", (row.pk,)), ("add", ()))
    )
    allowed = model_admin.has_add_permission(add.wsgi_request)
    assert (changelist.status_code, add.status_code) == (200, 200 if allowed else 403)
    return changelist, change, add


@pytest.mark.security("content security policy")
@pytest.mark.parametrize("model_admin", SCOPED, ids=get_model_label)
def test_console_pages_have_nothing_that_the_policy_blocks(model_admin, member, admin_client, attacks):
    for response in open_pages(model_admin, member, admin_client):
        found = find_violations(response)
        attacks.attempt(f"{response.wsgi_request.path}: {found}", succeeded=bool(found))


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
