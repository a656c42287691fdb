"""`manage.py seed_demo`: create a demo tenant with an agent that answers questions about Conclave."""

import json
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.choices import ApiKeyStatus, MemberRole
from accounts.keys import digest, is_well_formed
from accounts.models import ApiKey, Membership, User
from accounts.services.keys import create_api_key
from accounts.services.members import add_member, get_or_create_user
from agents.models import Agent, AgentCollection
from config.db.reports import refresh_report, report_models
from config.demo.generator import SINCE, UNTIL, DemoState, call_demos
from config.demo.history import ROWS, delete_history, get_history, load_history, make_old_partitions
from config.tenancy.scope import platform_scope, tenant_scope
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion
from tenants.demo import make_billing_samples
from tenants.models import Tenant
from tenants.services.metering import roll_up_usage
from tenants.services.tenants import create_tenant
from workflows.demo.samples import make_sample_runs
from workflows.services.performance import compute_performance

TENANT, OTHER, AGENT, COLLECTION = "demo", "globex", "guide", "conclave-docs"
EMAIL, VIEWER = "admin@demo.example", "viewer@demo.example"
ACTOR = "system:seed"
WRITING = ("README.md", "CHANGELOG.md")
COLLEAGUES = ("ada@demo.example", "ben@demo.example", "chloe@demo.example")
MOST = 1_000


class Command(BaseCommand):
    help = (
        "Create the demo: a tenant, users with random passwords, an agent that knows this project's documentation, "
        "an API key and samples. Existing data is kept. Credentials are written to var/demo.json (mode 0600). --scale "
        "adds six months of generated history, with 10,000 messages per step."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="URL of the console.")
        parser.add_argument(
            "--scale",
            type=int,
            default=0,
            help="Size of the history in steps of 10,000 messages (default: 0, no history).",
        )
        parser.add_argument("--seed", type=int, default=1, help="Random seed of the history.")
        parser.add_argument(
            "--fresh", action="store_true", help="Delete the history of an earlier run first."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["scale"] <= MOST:
            raise CommandError(f"--scale must be between 0 and {MOST}")
        path = Path(settings.VAR_DIR) / "demo.json"
        known = _read(path)
        admin, password = self._admin(known)
        viewer = get_or_create_user(VIEWER, first_name="Demo", last_name="Viewer", is_verified=True)
        tenant = self._tenant(TENANT, "Demo", admin)
        other = self._tenant(OTHER, "Globex", admin)
        self._refuse_twice([tenant, other], options)
        with tenant_scope(tenant, user=admin, actor=ACTOR):
            if not Membership.objects.filter(user=viewer).exists():
                add_member(viewer, role=MemberRole.VIEWER)
            key = self._key(admin, known.get("api_key", ""))
        self._samples(tenant, other, admin)
        self._knowledge(tenant, admin, quiet=options["verbosity"] == 0)
        with tenant_scope(tenant, user=admin, actor=ACTOR):
            make_sample_runs(admin.pk)
        if options["fresh"] or options["scale"]:
            self._history([(tenant, options["scale"]), (other, -(-options["scale"] // 10))], admin, options)
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
        self.stdout.write(f"Demo ready. The credentials are in {path.name}.")

    def _admin(self, known: dict[str, str]) -> tuple[User, str]:
        with platform_scope(reason="create the administrator of the demo", actor=ACTOR):
            admin = get_or_create_user(
                EMAIL, first_name="Demo", last_name="Admin", is_verified=True, is_staff=True
            )
        password = known.get("password", "")
        if not password or not admin.has_usable_password():
            password = secrets.token_urlsafe(12)
            admin.set_password(password)
            admin.save(update_fields=["password", "updated_at"])
        return admin, password

    def _key(self, admin: User, known: str) -> str:
        if (
            is_well_formed(known)
            and ApiKey.objects.filter(key_hash=digest(known), status=ApiKeyStatus.ACTIVE).exists()
        ):
            return known
        return create_api_key(name="Demo", user_id=admin.pk, rate_limit=600)[1]

    def _tenant(self, slug: str, name: str, admin: User) -> Tenant:
        found = Tenant.objects.filter(slug=slug).first()
        return found or create_tenant(slug=slug, name=name, admin=admin, actor=ACTOR)

    def _samples(self, tenant: Tenant, other: Tenant, admin: User) -> None:
        with platform_scope(reason="create demo samples", actor=ACTOR):
            call_demos("make_platform_samples")
            make_billing_samples(tenant, "pro")
            make_billing_samples(other, "starter")
        with tenant_scope(tenant, user=admin, actor=ACTOR):
            call_demos("make_user_samples", admin.pk)

    def _refuse_twice(self, tenants: list[Tenant], options: dict[str, Any]) -> None:
        """Raise CommandError if a tenant already has a history."""
        if not options["scale"] or options["fresh"]:
            return
        for tenant in tenants:
            if found := get_history(tenant.pk):
                raise CommandError(
                    f"{tenant.slug} already has a history (scale {found['scale']}, seed {found['seed']}, "
                    f"{found['rows']} rows). Use --fresh to replace it."
                )

    def _history(self, wanted: list[tuple[Tenant, int]], admin: User, options: dict[str, Any]) -> None:
        quiet = options["verbosity"] == 0
        if options["scale"]:
            make_old_partitions()
        for tenant, scale in wanted:
            if options["fresh"] and get_history(tenant.pk):
                with _bar(f"delete {tenant.slug}", None, quiet) as bar:
                    delete_history(tenant.pk, bar.update)
            if scale:
                state = DemoState(
                    tenant.pk, tenant.slug, scale, options["seed"], admin.pk, self._people(tenant, admin)
                )
                with _bar(tenant.slug, ROWS * scale, quiet) as bar:
                    rows = load_history(state, bar.update)
                self.stdout.write(f"{tenant.slug}: created {rows} rows of history")

        self._reports()

    def _reports(self) -> None:
        """Compute what the nightly and hourly jobs compute."""
        roll_up_usage()
        compute_performance(SINCE.date(), UNTIL.date() - timedelta(days=1))
        with platform_scope(reason="compute reports on the demo history", actor=ACTOR):
            for model in report_models():
                refresh_report(model)

    def _people(self, tenant: Tenant, admin: User) -> tuple[Any, ...]:
        """Return the IDs of the members in the history, ordered by e-mail address."""
        people = [
            get_or_create_user(
                email, first_name=email.partition("@")[0].capitalize(), last_name="Demo", is_verified=True
            )
            for email in COLLEAGUES
        ]
        with tenant_scope(tenant, user=admin, actor=ACTOR):
            known = set(Membership.objects.values_list("user_id", flat=True))
            for each in people:
                if each.pk not in known:
                    add_member(each)
        return (admin.pk, *(each.pk for each in people))

    def _knowledge(self, tenant: Tenant, admin: User, *, quiet: bool) -> None:
        with tenant_scope(tenant, user=admin, actor=ACTOR):
            collection, _ = get_or_create_collection(COLLECTION, name="Conclave's documentation")
            agent = Agent.objects.filter(slug=AGENT).first()
            if agent is None:
                agent = Agent(
                    name="Guide",
                    slug=AGENT,
                    description="Answers questions about Conclave.",
                    created_by=admin,
                )
                agent.full_clean(exclude=["tenant"])
                agent.save()
                AgentCollection.objects.create(agent=agent, collection=collection)
        ingestion = Ingestion(tenant.pk, collection, ACTOR, admin.pk)
        files = _documents()
        for _ in tqdm(ingestion.run(files), total=len(files), unit="file", disable=quiet or None):
            pass


def _bar(name: str, total: int | None, quiet: bool) -> Any:
    return tqdm(desc=name, total=total, unit="row", unit_scale=True, disable=quiet or None)


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
