"""`manage.py platform_key`: create, list and revoke platform API keys."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.choices import PlatformScope
from accounts.models import PlatformKey
from accounts.services.provisioning import create_platform_key, revoke_platform_key
from config.tenancy.scope import platform_scope

ACTOR = "system:platform_key"


class Command(BaseCommand):
    help = "Create, list and revoke platform API keys, which provision tenants through the API."

    def add_arguments(self, parser: Any) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="Create a key and print its secret, once.")
        create.add_argument("name", help="What the key is used for.")
        create.add_argument(
            "--scope", action="append", required=True, choices=PlatformScope.values, help="Scope; repeatable."
        )
        create.add_argument("--rate-limit", type=int, default=60, help="Requests per minute (default: 60).")
        create.add_argument("--days", type=int, help="Days until the key expires (default: never).")
        actions.add_parser("list", help="List the keys.")
        revoke = actions.add_parser("revoke", help="Revoke a key permanently.")
        revoke.add_argument("prefix", help="Prefix of the key, as listed.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        with platform_scope(reason=f"platform_key {action}", actor=ACTOR):
            try:
                getattr(self, f"_{action}")(options)
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error

    def _create(self, options: dict[str, Any]) -> None:
        days = options["days"]
        if days is not None and days < 1:
            raise CommandError("--days must be at least 1.")
        key, secret = create_platform_key(
            name=options["name"],
            scopes=options["scope"],
            rate_limit=options["rate_limit"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        self.stdout.write(f"Created {key}. Store the secret now; it is not shown again:")
        self.stdout.write(secret)

    def _list(self, options: dict[str, Any]) -> None:
        for key in PlatformKey.objects.all():
            expiry = f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "never"
            self.stdout.write(
                f"{key.key_prefix}  {key.status}  {','.join(key.scopes)}  expires {expiry}  {key.name}"
            )

    def _revoke(self, options: dict[str, Any]) -> None:
        keys = list(PlatformKey.objects.filter(key_prefix=options["prefix"]))
        if len(keys) != 1:
            raise CommandError(f"No platform API key has the prefix {options['prefix']}.")
        revoke_platform_key(keys[0])
        self.stdout.write(f"Revoked {keys[0]}.")
