"""System checks of model conventions, run by `manage.py check`.

| id | problem |
|---|---|
| conclave.E010 | A model does not declare a scope: it derives from no base model of `config.tenancy.models`. |
| conclave.E011 | A field named like a secret is stored unencrypted. |
| conclave.E012 | A JSON list of ids replaces a through table with foreign keys. |
| conclave.E013 | A reference to a tenant-owned table has no `SameTenant` constraint. |
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import models

from config.db.constraints import SameTenant
from config.encryption.fields import EncryptedField

SECRET = re.compile(
    r"(^|_)(password|passphrase|secret|secrets|token|api_key|private_key|credentials)(_key)?$"
)
ID_LIST = re.compile(r"_ids$")
SCOPE_KINDS = ("tenant", "user", "conversation", "global")
# Fields named like a secret that do not hold one that can be recovered.
NOT_SECRET = {"accounts.User.password": "a password hash"}


def _is_project_app(config: Any) -> bool:
    """Return whether the app belongs to this project, next to `manage.py`."""
    return bool(Path(config.path).parent == Path(settings.BASE_DIR))


def check_model(model: type[models.Model]) -> Iterator[checks.CheckMessage]:
    """Yield the problems of one model."""
    if getattr(model, "scope_kind", None) not in SCOPE_KINDS:
        hint = "Derive the model from TenantModel, UserOwnedModel or GlobalModel of config.tenancy.models."
        yield checks.Error(
            "The model does not declare a scope (tenant, user, conversation or global).",
            hint,
            obj=model,
            id="conclave.E010",
        )
    guarded = {each.field for each in model._meta.constraints if isinstance(each, SameTenant)}
    for field in model._meta.local_concrete_fields:
        yield from _check_field(model, field, guarded)


def _check_field(model: type[models.Model], field: Any, guarded: set[str]) -> Iterator[checks.CheckMessage]:
    kind = field.get_internal_type()
    known = isinstance(field, EncryptedField) or f"{model._meta.label}.{field.name}" in NOT_SECRET
    if SECRET.search(field.name) and not known and kind in ("CharField", "TextField", "JSONField"):
        hint = "Use EncryptedTextField or EncryptedJSONField of config.encryption.fields."
        yield checks.Error("The field stores a secret unencrypted.", hint, obj=field, id="conclave.E011")
    if kind == "JSONField" and ID_LIST.search(field.name):
        hint = "Create a through table with a TenantForeignKey on both sides."
        yield checks.Error(
            "A JSON list of ids has no referential integrity.", hint, obj=field, id="conclave.E012"
        )
    target = getattr(field, "related_model", None)
    owned = getattr(target, "scope_kind", "global") != "global"
    if owned and field.name not in guarded:
        hint = "Use TenantForeignKey or MemberForeignKey of config.tenancy.models."
        yield checks.Error(
            "The reference does not enforce the same tenant.", hint, obj=field, id="conclave.E013"
        )


@checks.register(checks.Tags.models)
def check_models(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Run conclave.E010 to E013 on every model of the project's apps."""
    chosen = app_configs or apps.get_app_configs()
    found = [model for config in chosen if _is_project_app(config) for model in config.get_models()]
    return [problem for model in found for problem in check_model(model)]
