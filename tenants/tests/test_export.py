"""Export of a tenant to files."""

import hashlib
import json

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.models import ApiKey, OAuthToken, TwoFactorAuth
from accounts.tests.factories import OAuthTokenFactory
from agents.models import McpServerConfig
from agents.tests.factories import IntegrationFactory, McpServerConfigFactory
from audit.models import SecurityAuditLog
from config.encryption.fields import encrypted_fields
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for, project_models
from config.testing.fixtures import add_member
from config.testing.roles import as_platform
from knowledge.models import Term
from tenants.models import TenantKey
from tenants.services import export as service
from tenants.services.export import export_tenant, exported_columns, exported_models

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "export"


def make_rows(tenant):
    with tenant_scope(tenant, user=add_member(tenant).user):
        rows = [factory_for(Term)(definition='A "quoted"\nline \\ 日本') for _ in range(5)]
        McpServerConfigFactory(config={"url": "plain-value"})
        IntegrationFactory(credentials={"api_key": "sealed-credential"})
        OAuthTokenFactory(access_token="sealed-token")
        factory_for(ApiKey)()
    return rows


def read(folder, table):
    return [json.loads(line) for line in (folder / f"{table}.jsonl").read_text().splitlines()]


def test_rows_of_the_tenant_are_complete_and_those_of_others_absent(
    tenant, other_tenant, folder, monkeypatch
):
    monkeypatch.setattr(service, "BATCH", 2)
    rows = make_rows(tenant)
    make_rows(other_tenant)
    steps = []
    export_tenant(tenant, folder, progress=lambda table, rows: steps.append((table, rows)))

    written = read(folder, "knowledge_term")
    assert [row["id"] for row in written] == [str(row.pk) for row in rows]
    assert {row["definition"] for row in written} == {rows[0].definition}
    assert [count for table, count in steps if table == "knowledge_term"] == [2, 2, 1]
    assert str(other_tenant.pk) not in "".join(path.read_text() for path in folder.iterdir())
    assert [row["id"] for row in read(folder, "tenants_tenant")] == [str(tenant.pk)]
    with as_platform():
        (event,) = SecurityAuditLog.unscoped.filter(event_type="data.tenant_exported")
        assert (event.tenant_id, event.details["decrypted"]) == (tenant.pk, False)


def test_the_manifest_names_files_columns_rows_and_checksums(tenant, folder):
    make_rows(tenant)
    export_tenant(tenant, folder)
    manifest = json.loads((folder / "manifest.json").read_text())

    assert {path.name for path in folder.iterdir()} == {
        "manifest.json",
        *(table["file"] for table in manifest["tables"].values()),
    }
    table = manifest["tables"]["accounts_apikey"]
    assert (table["rows"], table["omitted"]) == (1, ["key_hash"])
    assert table["sha256"] == hashlib.sha256((folder / table["file"]).read_bytes()).hexdigest()
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_stored_files_are_copied_with_their_checksums(tenant, other_tenant, folder, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    for each in (tenant, other_tenant):
        default_storage.save(f"tenants/{each.pk}/documents/a.txt", ContentFile(each.slug.encode()))
    default_storage.save(f"tenants/{tenant.pk}/b.bin", ContentFile(b"\x00"))
    steps = []
    export_tenant(tenant, folder, progress=lambda table, rows: steps.append(table))

    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert list(files) == ["b.bin", "documents/a.txt"]
    copied = (folder / "files/documents/a.txt").read_bytes()
    assert copied == tenant.slug.encode()
    assert files["documents/a.txt"] == {"size": len(copied), "sha256": hashlib.sha256(copied).hexdigest()}
    assert steps.count("files") == 2
    assert (folder / "files/documents").stat().st_mode & 0o777 == 0o700
    assert (folder / "files/b.bin").stat().st_mode & 0o777 == 0o600


def test_an_existing_folder_is_not_touched(tenant, folder):
    folder.mkdir()
    with pytest.raises(FileExistsError):
        export_tenant(tenant, folder)
    assert list(folder.iterdir()) == []


def written_text(tenant, folder, **options):
    export_tenant(tenant, folder, **options)
    return "".join(path.read_text() for path in folder.iterdir())


def test_encrypted_columns_are_decrypted_on_request_only(tenant, tmp_path):
    make_rows(tenant)
    assert "plain-value" not in written_text(tenant, tmp_path / "closed")
    assert "plain-value" in written_text(tenant, tmp_path / "open", decrypt=True)
    (row,) = read(tmp_path / "open", "agents_mcpserverconfig")
    assert row["config"] == {"url": "plain-value"}


@pytest.mark.security("exported secret")
@pytest.mark.parametrize("decrypt", [False, True])
def test_no_export_contains_a_secret(attacks, tenant, folder, decrypt):
    make_rows(tenant)
    text = written_text(tenant, folder, decrypt=decrypt)
    with as_platform():
        digests = [bytes(key.key_hash).hex() for key in ApiKey.unscoped.all()]
        wrapped = [bytes(key.wrapped).hex() for key in TenantKey.objects.all()]
    for secret in ("sealed-credential", "sealed-token", *digests, *wrapped):
        attacks.attempt(secret, succeeded=secret in text)
    for model in project_models():
        columns = exported_columns(model, decrypt=decrypt) if model in exported_models() else []
        opened = {"config"} if decrypt and model is McpServerConfig else set()
        for field in encrypted_fields(model):
            attacks.attempt(str(field), succeeded=field.column in columns and field.name not in opened)
    assert not set(exported_columns(TwoFactorAuth, decrypt=True)) & {"secret_key", "backup_codes"}
    assert not set(exported_columns(OAuthToken, decrypt=True)) & {"access_token", "refresh_token"}


@pytest.mark.security("exported secret", mutation=True)
def test_without_the_rule_for_secrets_credentials_are_exported(attacks, tenant, folder, monkeypatch):
    make_rows(tenant)
    monkeypatch.setattr(
        service, "decryptable_columns", lambda model: {field.column for field in encrypted_fields(model)}
    )
    attacks.attempt(succeeded="sealed-credential" in written_text(tenant, folder, decrypt=True))
