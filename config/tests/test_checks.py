"""System checks of models, each with a violating model."""

import pytest
from django.core.checks import run_checks
from django.db import models
from django.test.utils import isolate_apps

from agents.models import Agent
from config.encryption.fields import EncryptedTextField
from config.tenancy.checks import check_model, check_models
from config.tenancy.models import GlobalModel, TenantForeignKey, TenantModel


def without_owner():
    class Stray(models.Model):  # noqa: DJ008 - never a row
        class Meta:
            app_label = "tenants"

    return Stray


def with_an_open_secret():
    class Careless(GlobalModel):
        api_key = models.CharField(max_length=100)

        class Meta(GlobalModel.Meta):
            app_label = "tenants"

    return Careless


def with_ids_in_json():
    class Listing(GlobalModel):
        agent_ids = models.JSONField(default=list)

        class Meta(GlobalModel.Meta):
            app_label = "tenants"

    return Listing


def with_a_plain_reference():
    class Loose(TenantModel):
        agent = models.ForeignKey(Agent, models.CASCADE, related_name="+")

        class Meta(TenantModel.Meta):
            app_label = "workflows"

    return Loose


@pytest.mark.parametrize(
    ("make", "identifier"),
    [
        (without_owner, "conclave.E010"),
        (with_an_open_secret, "conclave.E011"),
        (with_ids_in_json, "conclave.E012"),
        (with_a_plain_reference, "conclave.E013"),
    ],
)
def test_a_bad_model_is_named(make, identifier):
    with isolate_apps("tenants", "workflows"):
        found = list(check_model(make()))

    assert [problem.id for problem in found] == [identifier]
    assert all(problem.hint for problem in found)


def test_a_good_model_is_not():
    with isolate_apps("workflows"):

        class Tidy(TenantModel):
            agent = TenantForeignKey(Agent, models.CASCADE, related_name="+")
            api_key = EncryptedTextField()

            class Meta(TenantModel.Meta):
                app_label = "workflows"

        assert list(check_model(Tidy)) == []


def test_our_models_are_checked_and_in_order():
    assert check_models in run_registered()
    assert check_models(None) == []
    assert [problem for problem in run_checks() if problem.id.startswith("conclave.E01")] == []


def run_registered():
    from django.core.checks.registry import registry

    return registry.get_checks()
