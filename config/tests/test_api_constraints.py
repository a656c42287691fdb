"""Violating any constraint of a writable resource returns an error that names the field."""

import json

import pytest
from django.db import IntegrityError, models, transaction

from agents.models import McpServer
from config.api.constraint_errors import constraint_error
from config.api.serializers import ReferenceField
from config.api.viewsets import UpdateMixin
from config.db.constraint_messages import constraint_fields, constraint_message, iter_lookups
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for, project_models
from config.testing.roles import as_platform
from config.tests.resources import ROUTES, VIEWSETS, address
from tenants.models import SystemSetting

pytestmark = pytest.mark.django_db
WRITABLE = sorted(prefix for prefix, view in VIEWSETS.items() if issubclass(view, UpdateMixin))
NIL = "00000000-0000-7000-8000-000000000000"
EARLY, LATE = "2026-01-01", "2026-02-01"
# Bodies for checks that a single value cannot violate.
TOGETHER = {
    "agents_budget_of_tenant": {"subject": "tenant", "subject_id": "01a20000-0000-7000-8000-000000000000"},
    "accounts_roleassignment_role_scope": {"scope": "engagement", "engagement": None},
    "agents_template_sale": {"is_marketplace": True, "price": None},
    "knowledge_collection_overlap_below_size": {"chunk_size": 100, "chunk_overlap": 100},
    "tenants_bridgesync_key": {"sync_enabled": True, "api_key": None},
    "tenants_engagement_dates_in_order": {"start_date": LATE, "end_date": EARLY},
    "workflows_activity_end_date_order": {
        "start_date": f"{LATE}T00:00:00Z",
        "end_date": f"{EARLY}T00:00:00Z",
    },
    "workflows_calendarevent_end_time_order": {
        "start_time": f"{LATE}T00:00:00Z",
        "end_time": f"{EARLY}T00:00:00Z",
    },
    "workflows_planningflow_planned_end_order": {"planned_start": LATE, "planned_end": EARLY},
}
# Further values that keep other constraints from failing first.
BESIDE = {
    ("bridge-syncs", "url"): {"sync_enabled": False},
    ("role-assignments", "engagement"): {"scope": "engagement"},
}
NOT_BY_VALUES = {"workflows_assetdependency_not_itself": "its body names a row: see the test of it below"}
# References whose change is rejected before the database is queried.
FIXED = {("api-keys", "user"): "a key stays its person's (409, key_person_fixed)"}


def writable_fields(prefix):
    fields = VIEWSETS[prefix].serializer_class().fields
    return {name: field for name, field in fields.items() if not field.read_only}


def checks_of(prefix):
    """Yield (constraint, violating body) for the constraints of the resource's fields."""
    model, writable = ROUTES[prefix], writable_fields(prefix)
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.CheckConstraint) and constraint.name not in NOT_BY_VALUES:
            named = constraint_fields(model, constraint)
            if set(named) <= writable.keys():
                yield constraint, TOGETHER.get(constraint.name) or {named[0]: wrong_value(constraint)}


def wrong_value(constraint):
    """Return a value that violates the check of a single field."""
    for _, lookup, value in iter_lookups(constraint.condition):
        if lookup == "in":
            return -1 if isinstance(value[0], int) else "nonsense"
        if lookup == "range":
            return value[1] + 1
        if lookup in ("gt", "gte"):
            return value - 1
        if lookup == "lte":
            return value + 1
        if lookup == "exact" and value == "":
            return ""
    raise AssertionError(f"{constraint.name}: write a body into TOGETHER")


@pytest.fixture
def client(api_client):
    return api_client(rate_limit=100_000)


def rows_of(prefix, client, count=1):
    model, user = ROUTES[prefix], client.key.user
    own = {"user": user} if prefix == "conversations" else {}
    with tenant_scope(client.key.tenant_id, user=user):
        return [factory_for(model)(**own) for _ in range(count)]


def changed(client, prefix, row, body):
    response = client.patch(
        f"{address(prefix, row)}{row.pk}/", json.dumps(body), content_type="application/json"
    )
    return response.status_code, response.json()


def pointers(problem):
    return {error["pointer"].split("/")[1] for error in problem.get("errors", []) if error["pointer"]}


@pytest.mark.parametrize("prefix", WRITABLE)
def test_violated_checks_name_their_field(prefix, client):
    (row,) = rows_of(prefix, client)
    for constraint, body in checks_of(prefix):
        status, problem = changed(client, prefix, row, body)
        assert status == 400, (constraint.name, body, problem)
        assert pointers(problem), (constraint.name, problem)
        assert pointers(problem) <= set(constraint_fields(ROUTES[prefix], constraint)), (
            constraint.name,
            problem,
        )


@pytest.mark.parametrize("prefix", WRITABLE)
def test_unknown_choice_error_lists_valid_choices(prefix, client):
    (row,) = rows_of(prefix, client)
    for name, field in writable_fields(prefix).items():
        for value in getattr(field, "choices", {}):
            _, problem = changed(client, prefix, row, {name: "nonsense"})
            assert str(value) in problem["errors"][0]["detail"], (name, problem)


@pytest.mark.parametrize("prefix", WRITABLE)
def test_violated_uniqueness_names_its_fields(prefix, client):
    model, writable = ROUTES[prefix], writable_fields(prefix)
    rules = [
        rule
        for rule in model._meta.constraints
        if isinstance(rule, models.UniqueConstraint)
        and set(constraint_fields(model, rule)) - {"user"} <= writable.keys()
        and set(constraint_fields(model, rule)) & writable.keys()
    ]
    taken, other = rows_of(prefix, client, 2) if rules else (None, None)
    for rule in rules:
        names = set(constraint_fields(model, rule)) & writable.keys()
        body = {name: same_value(client, prefix, taken, name) for name in names}
        for name in [name for name in names if body[name] is not None]:
            body |= BESIDE.get((prefix, name), {})
        status, problem = changed(client, prefix, other, body)
        assert (status, pointers(problem)) == (409, set(constraint_fields(model, rule))), (
            rule.name,
            body,
            problem,
        )


def same_value(client, prefix, row, name):
    """Return a field value as in a request body; empty text is filled in."""
    value = getattr(row, type(row)._meta.get_field(name).attname)
    if value == "":
        assert changed(client, prefix, row, {name: "twin"})[0] == 200
        return "twin"
    return value if value is None else str(value)


@pytest.mark.parametrize("prefix", WRITABLE)
def test_missing_reference_error_names_its_field(prefix, client):
    (row,) = rows_of(prefix, client)
    for name, field in writable_fields(prefix).items():
        if isinstance(field, ReferenceField) and (prefix, name) not in FIXED:
            status, problem = changed(client, prefix, row, BESIDE.get((prefix, name), {}) | {name: NIL})
            assert (status, pointers(problem)) == (400, {name}), (name, problem)


def test_an_asset_that_depends_on_itself_is_refused_at_its_fields(client):
    (row,) = rows_of("asset-dependencies", client)
    status, problem = changed(client, "asset-dependencies", row, {"target": str(row.source_id)})

    assert (status, pointers(problem)) == (400, {"source", "target"})


@pytest.mark.parametrize(
    ("model", "values", "answer"),
    [
        (McpServer, {"name": None, "slug": "s"}, (400, "/name", "null")),
        (SystemSetting, {"key": "taken", "value": "1"}, (409, "/key", "unique")),
    ],
    ids=["missing", "taken"],
)
def test_column_only_database_errors_name_their_field(model, values, answer):
    with as_platform(), pytest.raises(IntegrityError) as caught, transaction.atomic():
        model.objects.bulk_create([model(**values), model(**values)])
    cause = caught.value.__cause__
    status, _, (error,) = constraint_error(cause, cause.sqlstate)

    assert (status, error["pointer"], error["code"]) == answer


@pytest.mark.parametrize("model", project_models(), ids=lambda model: model._meta.label)
def test_every_constraint_has_a_message(model):
    rules = [
        rule
        for rule in model._meta.constraints
        if isinstance(rule, (models.CheckConstraint, models.UniqueConstraint))
    ]

    # A constraint on the tenant only (one live subscription) has no field to name.
    unnamed = {
        rule.name
        for rule in rules
        if not constraint_fields(model, rule) and getattr(rule, "fields", ()) != ("tenant",)
    }
    assert unnamed == set()
    assert [rule.name for rule in rules if constraint_message(rule) == "The value is invalid."] == []
