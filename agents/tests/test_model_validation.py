"""Validation of resource limits, prompt variables and fallbacks, and accounts of superusers."""

import pytest
from django.core.exceptions import ValidationError

from accounts.models import User
from agents.models.mcp import validate_limits
from agents.models.prompts import validate_variables
from agents.tests.factories import AgentFallbackFactory, IntegrationFactory


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "Must be an object."),
        ({"disk_mb": 1}, "disk_mb: unknown limit."),
        ({"timeout": 0}, "timeout: must be a positive number."),
        ({"timeout": True}, "timeout: must be a positive number."),
    ],
)
def test_invalid_resource_limits_are_rejected(value, message):
    with pytest.raises(ValidationError, match=message):
        validate_limits(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "Must be a list of variables."),
        ([{"name": "city"}, {"name": ""}], r"\[1\].name"),
        (["city"], r"\[0\].name"),
    ],
)
def test_invalid_prompt_variables_are_rejected(value, message):
    with pytest.raises(ValidationError, match=message):
        validate_variables(value)


def test_valid_limits_and_variables_pass():
    validate_limits({"timeout": 1.5, "memory_mb": 64})
    validate_variables([{"name": "city"}])


def test_a_fallback_requires_an_integration_of_its_provider(scope):
    fallback = AgentFallbackFactory(
        model_provider="openai", integration=IntegrationFactory(platform="anthropic")
    )

    with pytest.raises(ValidationError, match="belongs to another provider"):
        fallback.clean()


def test_a_superuser_is_staff_and_found_by_email(db):
    user = User.objects.create_superuser("Root@Example.com", "a long password")

    assert User.objects.get_by_natural_key("ROOT@example.com") == user
    assert (user.is_staff, user.is_superuser) == (True, True)
