"""API resources and the rows that all tests of one resource share."""

import re
from dataclasses import dataclass
from typing import Any

from django.test import Client

from accounts.choices import OAuthService
from accounts.models import OAuthToken
from agents.tests.factories import AgentFactory
from config.api.routers import build_router
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from config.testing.fixtures import add_member

VIEWSETS = {prefix: viewset for prefix, viewset, _ in build_router().registry}
ROUTES = {prefix: viewset.serializer_class.Meta.model for prefix, viewset in VIEWSETS.items()}
# Some platform rows are visible to all tenants.
OWNED = sorted(
    prefix for prefix, model in ROUTES.items() if model.row_security.get("read") not in ("true", "is_public")
)


def unused_service():
    known = OAuthToken.objects.values_list("service", flat=True)
    return next(service for service in OAuthService.values if service not in known)


# Values that must differ between rows of one conversation or user.
FURTHER = {
    "accounts.OAuthToken": lambda: {"service": unused_service()},
    "conversations.Participant": lambda: {"user": None, "agent": AgentFactory()},
}


def address(prefix, row):
    """Return the URL of the list that contains `row`."""
    return "/api/v1/" + re.sub(r"<uuid:(\w+)>", lambda found: str(getattr(row, found[1])), prefix) + "/"


@dataclass(frozen=True)
class Resource:
    """A resource with three rows of the client's tenant and one of another tenant."""

    prefix: str
    client: Client
    rows: tuple[Any, ...]
    foreign: Any

    @property
    def view(self):
        return VIEWSETS[self.prefix]

    @property
    def list_url(self):
        return address(self.prefix, self.rows[0])

    def url(self, row):
        return f"{self.list_url}{row.pk}/"

    def listed(self, query=""):
        """Return the rows of one page."""
        response = self.client.get(f"{self.list_url}?limit=200{query}")
        assert response.status_code == 200, response.content
        return response.json()["results"]

    def ids(self, query=""):
        return [row["id"] for row in self.listed(query)]

    def add(self, count):
        """Create further rows beside the first."""
        return create_rows(self.prefix, self.client.key.tenant_id, self.client.key.user, self.rows[0], count)


def create_rows(prefix, tenant, user, beside, count):
    """Create rows of `user`, in the conversation of `beside` if given."""
    model = ROUTES[prefix]
    with tenant_scope(tenant, user=user):
        made = []
        for _ in range(count):
            extra = {}
            if beside is not None:
                extra = FURTHER.get(model._meta.label, dict)()
                if "<uuid:conversation_id>" in prefix:
                    extra["conversation"] = beside.conversation
            made.append(factory_for(model)(**extra))
    return made


def create_client(tenant, user, **fields):
    """Return a client that sends a new key of `user`."""
    with tenant_scope(tenant, user=user):
        key = factory_for("accounts.ApiKey")(user=user, rate_limit=100_000, **fields)
    client = Client(headers={"authorization": f"Bearer {key.secret}"})
    client.key = key
    return client


def create_resource(prefix):
    """Create a key of an administrator and the rows of a resource."""
    tenant, other = (factory_for("tenants.Tenant")() for _ in range(2))
    user = add_member(tenant).user
    client = create_client(tenant, user)
    first = create_rows(prefix, tenant, user, None, 1)
    rows = first + create_rows(prefix, tenant, user, first[0], 2)
    (foreign,) = create_rows(prefix, other, add_member(other).user, None, 1)
    return Resource(prefix, client, tuple(rows), foreign)
