"""schemathesis over the OpenAPI document and the real web server: no 5xx, no answer that the document does not know.

The tenant has rows of everything, and half of the addresses name them, so that operations get beyond 404.
"""

import random
from collections import defaultdict
from uuid import UUID

import pytest
import requests
import schemathesis

from accounts.tests.factories import ApiKeyFactory
from config.testing.factories import factory_for, house_models
from config.testing.fixtures import add_member
from config.testing.served import served
from tenants.scoping import tenant_scope
from tenants.tests.factories import TenantFactory

ROWS, EXAMPLES, SEED = 3, 15, 20_260_101
DICE = random.Random(SEED)
CONFIG = {
    "seed": SEED,
    "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none"},
    "suppress-health-check": ["all"],
    "request-timeout": 120,
}


@pytest.fixture
def key(transactional_db):
    """A key of an administrator whose tenant has rows of every model."""
    tenant = TenantFactory()
    user = add_member(tenant).user
    with tenant_scope(tenant, user=user):
        for model in house_models():
            if model.scope_kind == "tenant":
                factory_for(model).create_batch(ROWS)
        return ApiKeyFactory(user=user, rate_limit=10_000_000)


@pytest.fixture
def server(key):
    with served() as server:
        yield server


@pytest.fixture
def document(server):
    config = schemathesis.Config.from_dict(CONFIG)
    return schemathesis.openapi.from_url(f"{server.url}/api/v1/openapi.json", config=config, timeout=120)


@pytest.fixture
def places(server, document, key):
    """Address with placeholders -> values for them that name rows; never the key that is used itself."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {key.secret}"

    def ids(path):
        answer = session.get(f"{server.url}{path}")
        found = [row["id"] for row in answer.json().get("results", [])]
        return [each for each in found if each not in (str(key.pk), str(key.user_id))]

    found = defaultdict(list)
    for path in document.raw_schema["paths"]:
        parent, placeholder, _ = path.partition("{id}")
        owners = ids("/api/v1/conversations/") if "{conversation_id}" in path else [None]
        for owner in owners:
            values = {"conversation_id": owner} if owner else {}
            inner = ids(parent.format(**values)) if placeholder else []
            found[path] += (
                [values | {"id": each} for each in inner] if placeholder else [values] if owner else []
            )
    return found


def is_uuid(value):
    try:
        return bool(UUID(str(value)))
    except ValueError:
        return False


schema = schemathesis.pytest.from_fixture("document")


@pytest.mark.slow
@schema.parametrize()
def test_the_api_keeps_to_its_document(case, places, key):
    known = places.get(case.operation.path)
    if known and DICE.random() < 0.5 and all(map(is_uuid, case.path_parameters.values())):
        case.path_parameters.update(DICE.choice(known))
    case.call_and_validate(headers={"Authorization": f"Bearer {key.secret}"})
