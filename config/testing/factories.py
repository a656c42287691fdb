"""Base factories and the registry of factories by model."""

from functools import cache
from importlib import import_module
from typing import Any

import factory
from django.apps import apps
from django.db import models

PROJECT_APPS = ("tenants", "accounts", "audit", "knowledge", "agents", "conversations", "workflows")


class BaseFactory(factory.django.DjangoModelFactory):
    """Factory that creates rows in the current scope."""

    class Meta:
        abstract = True

    @classmethod
    def _get_manager(cls, model_class: Any) -> Any:
        return model_class._base_manager


class ReportFactory(BaseFactory):
    """Factory that creates a counted row, refreshes the report and returns the report's row."""

    class Meta:
        abstract = True

    @classmethod
    def counted(cls, **values: Any) -> dict[str, Any]:
        """Create the counted row and return a filter for the report's row."""
        raise NotImplementedError

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> Any:
        from config.db.reports import refresh_report
        from config.tenancy.scope import require_tenant_id
        from config.testing.roles import as_platform

        found = cls.counted(**kwargs)
        with as_platform():  # type: ignore[attr-defined]
            refresh_report(model_class, gently=False)
        return model_class._base_manager.get(tenant_id=require_tenant_id(), **found)


def project_models() -> list[type[models.Model]]:
    """Return all concrete models of the project's apps."""
    return [model for label in PROJECT_APPS for model in apps.get_app_config(label).get_models()]


@cache
def factories() -> dict[type[models.Model], type[BaseFactory]]:
    """Map models to the factories in `<app>/tests/factories.py`."""
    found = {}
    for label in PROJECT_APPS:
        module = import_module(f"{label}.tests.factories")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseFactory) and value._meta.model:
                found[value._meta.model] = value
    return found


def factory_for(model: type[models.Model] | str) -> type[BaseFactory]:
    """Return the factory of `model`, a class or a label such as `accounts.User`.

    Raises:
        LookupError: if the app's `tests/factories.py` has none.
    """
    if isinstance(model, str):
        model = apps.get_model(model)
    try:
        return factories()[model]
    except KeyError:
        raise LookupError(f"{model._meta.label} has no factory in its app's tests/factories.py") from None


def member_user() -> Any:
    """Return the acting user, the first member of the tenant, or a new member."""
    from config.db.session import current_scope

    scope = current_scope()
    members = apps.get_model("accounts.Membership").objects.select_related("user").order_by("id")
    if scope and scope.user_id:
        members = members.filter(user_id=scope.user_id)
    return (members.first() or factory_for("accounts.Membership")()).user
