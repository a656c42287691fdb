"""`manage.py workflow`: validate, import, export, run and list workflows, and their JSON Schema."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError

from config.db.json_schema import SchemaError
from config.tenancy.scope import tenant_scope
from tenants.services.lookup import get_tenant_by_slug
from workflows.language.documents import MAX_BYTES, Document, DocumentError, dump_document, load_document
from workflows.language.language_schema import build_language_schema
from workflows.language.upgrades import upgrade_document
from workflows.management import run_action
from workflows.models import Workflow
from workflows.services.definition_checks import find_definition_errors
from workflows.services.lookup import get_latest_version, get_version, get_workflow
from workflows.services.publishing import DefinitionError, name_step, publish
from workflows.services.workflow_files import export_workflow, import_workflow

ACTOR = "system:workflow"


class Command(BaseCommand):
    help = "Validate, import, export, run and list workflows. `workflow ACTION --help` shows the options of an action."

    def add_arguments(self, parser: Any) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        validate = actions.add_parser("validate", help="Check documents, without storing them.")
        validate.add_argument("files", nargs="+", type=Path, metavar="FILE", help="YAML or JSON document.")
        validate.add_argument(
            "--tenant", help="Slug of the tenant, to check agents, tools and workflows too."
        )
        store = actions.add_parser("import", help="Store documents as drafts.")
        store.add_argument("files", nargs="+", type=Path, metavar="FILE", help="YAML or JSON document.")
        store.add_argument("--tenant", required=True, help="Slug of the tenant.")
        store.add_argument(
            "--slug", help="Slug of the workflow; default: the file's name without its suffix."
        )
        store.add_argument("--publish", action="store_true", help="Publish the drafts.")
        export = actions.add_parser("export", help="Write a workflow as a document.")
        export.add_argument("slug", metavar="WORKFLOW", help="Slug of the workflow.")
        export.add_argument("--tenant", required=True, help="Slug of the tenant.")
        export.add_argument("--version-number", type=int, help="Published version; default: the draft.")
        export.add_argument("--as", dest="format", choices=("yaml", "json"), default="yaml", help="Format.")
        export.add_argument("--output", type=Path, help="New file to write; default: standard output.")
        run_action.add_arguments(actions.add_parser("run", help="Start a run and follow it to its end."))
        schema = actions.add_parser("schema", help="Write the JSON Schema of documents.")
        schema.add_argument("--output", type=Path, help="File to replace; default: standard output.")
        listing = actions.add_parser("list", help="List the workflows of a tenant.")
        listing.add_argument("--tenant", required=True, help="Slug of the tenant.")

    def handle(self, *args: Any, **options: Any) -> None:
        actions = {
            "validate": self._validate,
            "import": self._import,
            "export": self._export,
            "run": lambda options: run_action.run_workflow(options, self.stdout.write),
            "schema": self._write_schema,
            "list": self._list,
        }
        try:
            actions[options["action"]](options)
        except (ObjectDoesNotExist, DocumentError, OSError) as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError("\n".join(error.messages)) from error

    def _validate(self, options: dict[str, Any]) -> None:
        tenant = get_tenant_by_slug(options["tenant"]) if options["tenant"] else None
        failed = 0
        for file in options["files"]:
            try:
                document = load_document(_read(file))
                current = upgrade_document(document.value)
                if tenant:
                    with tenant_scope(tenant, actor=ACTOR, read_only=True):
                        errors = find_definition_errors(current, slug=file.stem)
                else:
                    errors = find_definition_errors(current, are_rows_checked=False)
            except DocumentError as error:
                self.stdout.write(f"{file}:{error.line}: {error.message}")
                failed += 1
                continue
            for line in _describe(document, current, errors):
                self.stdout.write(f"{file}:{line}")
            failed += bool(errors)
            if not errors:
                self.stdout.write(f"{file}: valid")
        if failed:
            raise CommandError(f"{failed} of {len(options['files'])} documents are invalid.")

    def _import(self, options: dict[str, Any]) -> None:
        if options["slug"] and len(options["files"]) > 1:
            raise CommandError("--slug takes one file.")
        tenant = get_tenant_by_slug(options["tenant"])
        for file in options["files"]:
            with tenant_scope(tenant, actor=ACTOR):
                try:
                    workflow, is_new = import_workflow(_read(file), slug=options["slug"] or file.stem)
                    version = publish(workflow) if options["publish"] else None
                except (DocumentError, DefinitionError) as error:
                    messages = error.messages if isinstance(error, DefinitionError) else [str(error)]
                    raise CommandError("\n".join(f"{file}: {message}" for message in messages)) from error
            done = "created" if is_new else "updated"
            published = f", version {version.version}" if version else ""
            self.stdout.write(f"{done} {workflow.slug}{published}")

    def _export(self, options: dict[str, Any]) -> None:
        with tenant_scope(get_tenant_by_slug(options["tenant"]), actor=ACTOR, read_only=True):
            workflow = get_workflow(options["slug"])
            version = get_version(workflow, options["version_number"])
            text = export_workflow(workflow, version, as_json=options["format"] == "json")
        if options["output"]:
            with options["output"].open("x", encoding="utf-8") as file:
                file.write(text)
        else:
            self.stdout.write(text, ending="")

    def _write_schema(self, options: dict[str, Any]) -> None:
        text = dump_document(build_language_schema(), as_json=True)
        if options["output"]:
            options["output"].write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")

    def _list(self, options: dict[str, Any]) -> None:
        with tenant_scope(get_tenant_by_slug(options["tenant"]), actor=ACTOR, read_only=True):
            for workflow in Workflow.objects.filter(deleted_at=None).order_by("slug"):
                latest = get_latest_version(workflow)
                version = f"v{latest.version}" if latest else "draft"
                self.stdout.write(
                    f"{workflow.slug:32} {version:8} {workflow.status:10} {workflow.run_count:8} {workflow.name}"
                )


def _read(file: Path) -> bytes:
    """Return at most one byte more than a document may have."""
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES + 1)


def _describe(document: Document, current: Any, errors: list[SchemaError]) -> list[str]:
    """Return line, path and message of each error. Lines of an upgraded document are unknown: 1."""
    is_current = current == document.value
    return [
        f"{document.find_line(path) if is_current else 1}: {'.'.join(map(str, path))}: {name_step(current, path, text)}"
        for path, text in errors
    ]
