"""`manage.py seed_demo`: a tenant to try, with an agent that answers about Conclave."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from tqdm import tqdm

from accounts.choices import ApiKeyStatus, MemberRole
from accounts.keys import digest, well_formed
from accounts.models import ApiKey, Membership, User
from accounts.services.keys import create_api_key
from accounts.services.members import add_member, person
from agents.models import Agent, AgentCollection
from knowledge.services.collections import get_or_create_collection
from knowledge.services.ingestion import Ingestion
from tenants.models import Tenant
from tenants.scoping import tenant_scope
from tenants.services.tenants import create_tenant

TENANT, OTHER, AGENT, COLLECTION = "demo", "globex", "guide", "conclave-docs"
EMAIL, VIEWER = "admin@demo.example", "viewer@demo.example"
ACTOR = "system:seed"
WRITING = ("README.md", "CHANGELOG.md")


class Command(BaseCommand):
    help = (
        "Make the demo: tenant, people with random passwords, an agent that knows this project's documentation, "
        "an API key. What is there already stays. Sign-in and key are written to var/demo.json (mode 0600)."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="Address the console will have.")

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(settings.VAR_DIR) / "demo.json"
        known = _read(path)
        admin, password = self._admin(known)
        viewer = person(VIEWER, first_name="Demo", last_name="Viewer", is_verified=True)
        tenant = self._tenant(TENANT, "Demo", admin)
        self._tenant(OTHER, "Globex", admin)
        with tenant_scope(tenant, user=admin, actor=ACTOR):
            if not Membership.objects.filter(user=viewer).exists():
                add_member(viewer, role=MemberRole.VIEWER)
            key = self._key(admin, known.get("api_key", ""))
        self._knowledge(tenant, admin, quiet=options["verbosity"] == 0)
        _write(
            path,
            {
                "url": options["url"],
                "email": EMAIL,
                "password": password,
                "tenant": TENANT,
                "agent": AGENT,
                "api_key": key,
            },
        )
        self.stdout.write(f"demo ready; sign-in and key are in {path.name}")

    def _admin(self, known: dict[str, str]) -> tuple[User, str]:
        admin = person(EMAIL, first_name="Demo", last_name="Admin", is_verified=True, is_staff=True)
        password = known.get("password", "")
        if not password or not admin.has_usable_password():
            password = secrets.token_urlsafe(12)
            admin.set_password(password)
            admin.save(update_fields=["password", "updated_at"])
        return admin, password

    def _key(self, admin: User, known: str) -> str:
        if (
            well_formed(known)
            and ApiKey.objects.filter(key_hash=digest(known), status=ApiKeyStatus.ACTIVE).exists()
        ):
            return known
        return create_api_key(name="Demo", user_id=admin.pk)[1]

    def _tenant(self, slug: str, name: str, admin: User) -> Tenant:
        found = Tenant.objects.filter(slug=slug).first()
        return found or create_tenant(slug=slug, name=name, admin=admin, actor=ACTOR)

    def _knowledge(self, tenant: Tenant, admin: User, *, quiet: bool) -> None:
        with tenant_scope(tenant, user=admin, actor=ACTOR):
            collection, _ = get_or_create_collection(COLLECTION, name="Conclave's documentation")
            agent = Agent.objects.filter(slug=AGENT).first()
            if agent is None:
                agent = Agent(
                    name="Guide", slug=AGENT, description="Answers about Conclave.", created_by=admin
                )
                agent.full_clean(exclude=["tenant"])
                agent.save()
                AgentCollection.objects.create(agent=agent, collection=collection)
        ingestion = Ingestion(tenant.pk, collection, ACTOR, admin.pk)
        files = _documents()
        for _ in tqdm(ingestion.run(files), total=len(files), unit="file", disable=quiet or None):
            pass


def _documents() -> list[tuple[Path, str]]:
    base = Path(settings.BASE_DIR)
    files = [base / name for name in WRITING] + sorted((base / "docs").rglob("*.md"))
    return [(file, file.relative_to(base).as_posix()) for file in files if file.is_file()]


def _read(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def _write(path: Path, content: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream, indent=2)
    draft.chmod(0o600)
    draft.replace(path)
