"""`manage.py tenant`: create, suspend, resume, export, delete and list tenants."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.services.provisioning import provision_tenant
from config.tenancy.scope import platform_scope
from tenants.choices import DeletionStatus
from tenants.models import Region, SubscriptionPlan, Tenant, TenantDeletion
from tenants.services.deletion import PORTION, Progress, TenantBusyError, request_deletion, run_deletion
from tenants.services.export import export_tenant
from tenants.services.tenants import find_plan, find_region, resume_tenant, suspend_tenant

ACTOR = "system:tenant_command"


class Command(BaseCommand):
    help = "Create, suspend, resume, export, delete and list tenants."

    def add_arguments(self, parser: Any) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        create = actions.add_parser("create", help="Create a tenant and invite its first administrator.")
        create.add_argument("slug", help="Unique name: lower-case letters, digits and hyphens.")
        create.add_argument("--name", required=True, help="Name of the organisation.")
        create.add_argument(
            "--admin",
            required=True,
            metavar="EMAIL",
            help="Address of the first administrator, who is invited.",
        )
        create.add_argument("--plan", help="Slug of an active plan.")
        create.add_argument("--region", help="Code of an active region (default: the default region).")
        for name, text in (
            ("suspend", "Refuse all requests of a tenant. Nothing is deleted."),
            ("resume", "Accept the requests of a suspended tenant again."),
        ):
            change = actions.add_parser(name, help=text)
            change.add_argument("slug", help="Slug of the tenant.")
            change.add_argument("--reason", default="", help="Reason, recorded in the audit log.")
        export = actions.add_parser("export", help="Write all rows of a tenant to files, without secrets.")
        export.add_argument("slug", help="Slug of the tenant.")
        export.add_argument("folder", type=Path, help="Folder to create; must not exist.")
        export.add_argument(
            "--decrypt", action="store_true", help="Write encrypted columns as plain text, except secrets."
        )
        self._add_delete(actions)
        actions.add_parser("list", help="List the tenants and the deletions that are not complete.")

    def _add_delete(self, actions: Any) -> None:
        delete = actions.add_parser(
            "delete",
            help="Delete a suspended tenant with all its rows and files. Asks for the tenant's name.",
            description="Delete a suspended tenant with all rows and files. This cannot be undone. An interrupted"
            " deletion continues in the worker, or when you repeat the command.",
        )
        delete.add_argument("slug", help="Slug of the tenant.")
        delete.add_argument("--name", help="Name of the tenant, to confirm the deletion.")
        delete.add_argument("--yes", action="store_true", help="Do not ask. Requires --name.")
        delete.add_argument("--background", action="store_true", help="Let the worker delete the rows.")
        delete.add_argument(
            "--portion", type=int, default=PORTION, help=f"Rows per transaction (default: {PORTION})."
        )

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(options)
        except ValidationError as error:
            messages = getattr(error, "message_dict", {"": error.messages})
            texts = [f"{name}: {text}" if name else text for name, all_ in messages.items() for text in all_]
            raise CommandError(" ".join(texts)) from error

    def _scope(self, action: str) -> Any:
        return platform_scope(reason=f"tenant {action}", actor=ACTOR)

    def _find(self, slug: str) -> Tenant:
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            raise CommandError(f'Tenant "{slug}" does not exist. "tenant list" shows all tenants.')
        return tenant

    def _create(self, options: dict[str, Any]) -> None:
        with self._scope("create"):
            plan, region = self._find_plan(options["plan"]), self._find_region(options["region"])
            tenant, _ = provision_tenant(
                slug=options["slug"],
                name=options["name"],
                admin_email=options["admin"],
                plan=plan,
                region=region,
            )
        self.stdout.write(f"Created tenant {tenant.slug} ({tenant.pk}). Invited {options['admin']}.")

    def _find_plan(self, slug: str | None) -> SubscriptionPlan | None:
        plan = find_plan(slug) if slug else None
        if slug and plan is None:
            raise CommandError(f'Active plan "{slug}" not found.')
        return plan

    def _find_region(self, code: str | None) -> Region | None:
        region = find_region(code) if code else None
        if code and region is None:
            raise CommandError(f'Active region "{code}" not found.')
        return region

    def _suspend(self, options: dict[str, Any]) -> None:
        with self._scope("suspend"):
            suspend_tenant(self._find(options["slug"]), reason=options["reason"])
        self.stdout.write(f"Suspended {options['slug']}.")

    def _resume(self, options: dict[str, Any]) -> None:
        with self._scope("resume"):
            resume_tenant(self._find(options["slug"]), reason=options["reason"])
        self.stdout.write(f"Resumed {options['slug']}.")

    def _export(self, options: dict[str, Any]) -> None:
        with self._scope("export"):
            tenant = self._find(options["slug"])
        try:
            with self._progress(options) as show:
                tables = export_tenant(tenant, options["folder"], decrypt=options["decrypt"], progress=show)
        except OSError as error:
            raise CommandError(str(error)) from error
        rows = sum(table.rows for table in tables.values())
        self.stdout.write(f"Exported {rows:,} rows of {len(tables)} tables to {options['folder']}.")

    @contextmanager
    def _progress(self, options: dict[str, Any]) -> Iterator[Progress]:
        """Show the current table and the number of rows, in a terminal only."""
        with tqdm(unit="row", disable=options["verbosity"] == 0 or None, file=sys.stderr) as bar:

            def show(table: str, rows: int) -> None:
                bar.set_description(table)
                bar.update(rows)

            yield show

    def _list(self, options: dict[str, Any]) -> None:
        with self._scope("list"):
            for tenant in Tenant.objects.order_by("slug"):
                self.stdout.write(
                    f"{tenant.slug}  {tenant.status}  {tenant.plan_type}  {tenant.created_at:%Y-%m-%d}  {tenant.name}"
                )
            for deletion in TenantDeletion.objects.exclude(status=DeletionStatus.COMPLETED):
                self.stdout.write(f"{deletion}: {sum(deletion.rows.values())} rows deleted {deletion.error}")

    def _delete(self, options: dict[str, Any]) -> None:
        if options["portion"] < 1:
            raise CommandError("--portion must be at least 1.")
        if options["yes"] and not options["name"]:
            raise CommandError("--yes requires --name with the name of the tenant.")
        deletion = self._request(options)
        if options["background"]:
            self.stdout.write(f"The worker deletes {options['slug']}.")
            return
        with self._progress(options) as show:
            try:
                deletion = run_deletion(deletion.pk, portion=options["portion"], progress=show)
            except TenantBusyError as error:
                raise CommandError(f"{error}. The worker continues the deletion.") from error
        for table, rows in sorted(deletion.rows.items()):
            self.stdout.write(f"{rows:>12,}  {table}")
        rows = sum(deletion.rows.values())
        self.stdout.write(f"Deleted {options['slug']}: {rows:,} rows, {deletion.files:,} files.")

    def _request(self, options: dict[str, Any]) -> TenantDeletion:
        """Return the new deletion of a tenant, or the one that was interrupted."""
        with self._scope("delete"):
            tenant = self._find(options["slug"])
            if (begun := TenantDeletion.objects.filter(deleted_tenant_id=tenant.pk).first()) is not None:
                return begun
        name = options["name"] if options["yes"] else self._ask(tenant, options["name"])
        with self._scope("delete"):
            return request_deletion(tenant, name=name, defer=options["background"])

    def _ask(self, tenant: Tenant, name: str | None) -> str:
        """Ask for the name of the tenant, or for a yes if the command names it."""
        self.stdout.write(f"All rows and files of {tenant.name} will be deleted. This cannot be undone.")
        try:
            if name is None:
                return input("Enter the name of the tenant: ")
            if input('Enter "yes" to delete the tenant: ') != "yes":
                raise CommandError("Nothing was deleted.")
        except EOFError:
            raise CommandError("Nothing was deleted: use --name and --yes without a terminal.") from None
        return name
