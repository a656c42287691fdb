"""`manage.py tenant`."""

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Invitation
from config.testing.roles import as_platform
from tenants.models import Tenant, TenantDeletion

pytestmark = pytest.mark.django_db


def run(*words):
    out = io.StringIO()
    call_command("tenant", *words, stdout=out, verbosity=0)
    return out.getvalue()


def status_of(tenant):
    with as_platform():
        return Tenant.objects.filter(pk=tenant.pk).values_list("status", flat=True).first()


def test_create_invites_the_administrator():
    assert "Created tenant acme" in run("create", "acme", "--name", "Acme", "--admin", "ada@example.org")
    with as_platform():
        assert Invitation.unscoped.get().email == "ada@example.org"
    assert "acme  active  free" in run("list")


def test_suspend_and_resume_change_the_status(tenant):
    run("suspend", tenant.slug, "--reason", "unpaid")
    assert status_of(tenant) == "suspended"
    run("resume", tenant.slug)
    assert status_of(tenant) == "active"


def test_export_writes_a_new_folder(tenant, tmp_path):
    assert "Exported" in run("export", tenant.slug, str(tmp_path / "rows"))
    assert (tmp_path / "rows" / "manifest.json").is_file()
    with pytest.raises(CommandError, match="exists"):
        run("export", tenant.slug, str(tmp_path / "rows"))


def test_delete_prints_the_rows_of_each_table(tenant):
    run("suspend", tenant.slug)
    printed = run("delete", tenant.slug, "--name", tenant.name, "--yes")

    assert status_of(tenant) is None
    assert "1  tenants_tenant" in printed
    assert "rows, 0 files" in printed


@pytest.mark.parametrize(
    ("answer", "words"), [("wrong", ()), ("no", ("--name", "Tenant")), ("", ("--name", "wrong", "--yes"))]
)
def test_delete_without_the_right_answer_deletes_nothing(tenant, monkeypatch, answer, words):
    monkeypatch.setattr("builtins.input", lambda _: answer)
    run("suspend", tenant.slug)
    with pytest.raises(CommandError, match=r"Nothing was deleted|name of the organisation"):
        run("delete", tenant.slug, *words)
    assert status_of(tenant) == "suspended"


def test_delete_asks_for_the_name_and_leaves_the_rows_to_the_worker(tenant, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: tenant.name)
    run("suspend", tenant.slug)
    assert "worker" in run("delete", tenant.slug, "--background")
    assert status_of(tenant) == "deleted"
    assert "deletion of" in run("list")
    run("delete", tenant.slug)
    with as_platform():
        assert TenantDeletion.objects.get().status == "completed"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("suspend", "nobody"), 'Tenant "nobody" does not exist'),
        (("delete", "x", "--yes"), "--yes requires --name"),
        (("delete", "x", "--portion", "0"), "at least 1"),
        (("create", "Acme", "--name", "A", "--admin", "a@example.org"), "slug: "),
        (("create", "acme", "--name", "A", "--admin", "nobody"), "email: "),
        (
            ("create", "acme", "--name", "A", "--admin", "a@example.org", "--plan", "x"),
            'Active plan "x" not found',
        ),
        (
            ("create", "acme", "--name", "A", "--admin", "a@example.org", "--region", "x"),
            'Active region "x" not found',
        ),
    ],
)
def test_errors_name_the_problem(words, message):
    with pytest.raises(CommandError, match=message):
        run(*words)


def test_an_active_tenant_is_not_deleted(tenant):
    with pytest.raises(CommandError, match="Suspend the organisation"):
        run("delete", tenant.slug, "--name", tenant.name, "--yes")
    assert status_of(tenant) == "active"
