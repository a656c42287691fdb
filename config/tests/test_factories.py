"""Every factory makes a row."""

import pytest

from audit.models import AuditSeal
from config.db.session import current_scope
from config.testing.factories import factories, factory_for, project_models

IN_A_SCOPE = [model for model in project_models() if model is not AuditSeal]


@pytest.mark.parametrize("model", IN_A_SCOPE, ids=lambda model: model._meta.label)
def test_factory_makes_a_row_in_the_scope(scope, model):
    row = factory_for(model)()

    assert row.pk is not None
    assert getattr(row, "tenant_id", scope.tenant_id) == scope.tenant_id
    assert current_scope() is scope


@pytest.mark.django_db(transaction=True)
def test_seal_factory_seals():
    first, second = factory_for(AuditSeal)(), factory_for(AuditSeal)()

    assert (first.n, second.n) == (1, 2)
    assert bytes(second.prev) == bytes(first.hash)


def test_every_factory_is_of_a_house_model():
    assert set(factories()) == set(project_models())
