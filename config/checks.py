"""System checks of the house's rules for models, so that `manage.py check` names what a guard would find later.

| id | what is wrong |
|---|---|
| conclave.E010 | a model that says not whose rows it has: none of the base models of `tenants.bases` |
| conclave.E011 | a field that is named like a secret and stored as it is |
| conclave.E012 | a JSON list that is named like a list of ids, where a through table has real references |
| conclave.E013 | a reference to a table of tenants without `SameTenant` |
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
from config.db.fields import EncryptedField

SECRET = re.compile(
    r"(^|_)(password|passphrase|secret|secrets|token|api_key|private_key|credentials)(_key)?$"
)
IDS = re.compile(r"_ids$")
KINDS = ("tenant", "user", "global")
# Named like a secret, and none that could be read back.
NO_SECRET = {"accounts.User.password": "a hash, as Django stores it"}


def _is_house(config: Any) -> bool:
    """Whether an app is one of ours: its folder stands beside `manage.py`."""
    return bool(Path(config.path).parent == Path(settings.BASE_DIR))


def problems_of(model: type[models.Model]) -> Iterator[checks.CheckMessage]:
    """What is wrong with one model."""
    if getattr(model, "scope_kind", None) not in KINDS:
        hint = "Derive it from TenantModel, UserOwnedModel or GlobalModel of tenants.bases."
        yield checks.Error("It does not say whose rows it has.", hint, obj=model, id="conclave.E010")
    guarded = {each.field for each in model._meta.constraints if isinstance(each, SameTenant)}
    for field in model._meta.local_concrete_fields:
        yield from _field_problems(model, field, guarded)


def _field_problems(
    model: type[models.Model], field: Any, guarded: set[str]
) -> Iterator[checks.CheckMessage]:
    kind = field.get_internal_type()
    known = isinstance(field, EncryptedField) or f"{model._meta.label}.{field.name}" in NO_SECRET
    if SECRET.search(field.name) and not known and kind in ("CharField", "TextField", "JSONField"):
        hint = "Use EncryptedTextField or EncryptedJSONField of config.db.fields."
        yield checks.Error("A secret is stored as it is.", hint, obj=field, id="conclave.E011")
    if kind == "JSONField" and IDS.search(field.name):
        hint = "Make a through table with TenantForeignKey on both sides."
        yield checks.Error("A JSON list of ids refers to nothing.", hint, obj=field, id="conclave.E012")
    target = getattr(field, "related_model", None)
    owned = getattr(target, "scope_kind", "global") != "global"
    if owned and field.name not in guarded:
        hint = "Use TenantForeignKey or MemberForeignKey of tenants.bases."
        yield checks.Error("The reference does not hold the tenant.", hint, obj=field, id="conclave.E013")


@checks.register(checks.Tags.models)
def check_models(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """conclave.E010 to E013 of every model of our own apps."""
    chosen = app_configs or apps.get_app_configs()
    found = [model for config in chosen if _is_house(config) for model in config.get_models()]
    return [problem for model in found for problem in problems_of(model)]
