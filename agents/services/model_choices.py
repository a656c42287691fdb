"""Models that users choose for purposes, found among the accounts of the organisation.

A choice is `<integration>/<model>`, or the name of a model that an account offers according to its latest check.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.text import slugify

from accounts.choices import DEFAULT_MODELS, ModelPurpose
from accounts.models import UserModelChoice
from agents.choices import Provider
from agents.models import Agent, Integration
from tenants.services.system_settings import get_system_setting

# Key in `Agent.config`: a purpose, or `auto` for the purpose of each answer.
MODEL_PURPOSE = "model_purpose"
AUTO = "auto"
# Followed by a purpose, the key of a system setting.
DEFAULT_MODEL = "default_model"


class ModelUnavailableError(LookupError):
    """No account offers the model that the user chose; the message is for the user."""


@dataclass(frozen=True, slots=True)
class AvailableModel:
    """A model and the account that offers it."""

    name: str
    integration: Integration

    def apply_to(self, agent: Agent) -> None:
        """Let `agent` use the model. The agent is not saved."""
        agent.model_provider, agent.model_name = self.integration.platform, self.name
        agent.integration = self.integration


def find_model(purpose: str, *, account: Integration | None = None) -> AvailableModel | None:
    """Return the model for the purpose, or None if no account offers a default one. Needs the user's scope.

    Precedence: the user's choice for the purpose, that for `selected`, the system setting, and `DEFAULT_MODELS`.

    Args:
        account: the only account to search.

    Raises:
        ModelUnavailableError: no account offers the model that the user chose.
    """
    accounts = [account] if account else list(Integration.objects.filter(platform__in=Provider.values))
    wanted = [purpose, ModelPurpose.SELECTED]
    chosen = dict(UserModelChoice.objects.filter(purpose__in=wanted).values_list("purpose", "model"))
    name = next((chosen[each] for each in wanted if each in chosen), "")
    if name:
        if found := _locate_model(name, accounts):
            return found
        raise ModelUnavailableError(
            f"You chose the model {name} for the purpose {purpose}, but no integration offers it. Check the "
            "integration, or change your choice."
        )
    name = get_system_setting(f"{DEFAULT_MODEL}.{purpose}") or DEFAULT_MODELS[ModelPurpose(purpose)]
    return _locate_model(name, accounts)


def apply_model_choice(agent: Agent, purpose: str) -> str:
    """Let the agent use the user's model if its configuration says so; return an error or an empty string.

    If nothing is chosen and no account offers the default model, the agent keeps its own.
    """
    wanted = agent.config.get(MODEL_PURPOSE) if isinstance(agent.config, dict) else None
    if wanted is None:
        return ""
    purpose = purpose if wanted == AUTO else wanted
    if purpose not in ModelPurpose.values:
        return f"The agent's configuration names an unknown {MODEL_PURPOSE}."
    try:
        found = find_model(purpose)
    except ModelUnavailableError as error:
        return str(error)
    if found:
        found.apply_to(agent)
    return ""


def apply_own_choice(agent: Agent, purpose: str) -> None:
    """Let the agent use the user's model for a step of the product, if the agent's own account offers it."""
    if agent.integration is None or agent.integration.platform != agent.model_provider:
        return
    try:
        found = find_model(purpose, account=agent.integration)
    except ModelUnavailableError:
        return
    if found:
        found.apply_to(agent)


def _locate_model(name: str, accounts: list[Integration]) -> AvailableModel | None:
    for row in accounts:
        if name in row.offered_models:
            return AvailableModel(name, row)
    return find_named_model(name, accounts)


def find_named_model(name: str, accounts: Iterable[Integration]) -> AvailableModel | None:
    """Return the model of a name such as `<integration>/<model>`; the integration by name, slug or ID."""
    account, _, model = name.partition("/")
    for row in accounts if model else ():
        if account in (slugify(row.name), row.name, str(row.pk)):
            return AvailableModel(model, row)
    return None
