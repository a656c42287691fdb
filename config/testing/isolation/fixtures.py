"""Test data of the attacks: tenants with one row in every table."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any
from uuid import uuid4

from django.db import connection, models

from config.postgres.logins import OWNER
from config.testing.database import connect, restrict_database

COLUMNS_SQL = """
SELECT attname FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"""

REFERENCES_SQL = """
SELECT a.attname, c.confrelid::regclass::text, t.attname, NOT a.attnotnull FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[2]
JOIN pg_attribute t ON t.attrelid = c.confrelid AND t.attnum = c.confkey[2]
WHERE c.contype = 'f' AND c.conrelid = %s::regclass AND cardinality(c.conkey) = 2
  AND c.conparentid = 0 ORDER BY 1"""

SHARED_IDS_SQL = """
SELECT FROM pg_constraint WHERE contype = 'p' AND conrelid = %s::regclass AND cardinality(conkey) > 1"""

UNIQUE_SQL = """
SELECT DISTINCT a.attname, format_type(a.atttypid, NULL) FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
WHERE i.indrelid = %s::regclass AND i.indisunique AND a.attname NOT IN ('id', 'tenant_id')
  AND format_type(a.atttypid, NULL) <> 'uuid'"""

# Partitions and the materialized views of reports: no role may access them directly.
PARTITIONS_SQL = """
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %(t)s::regclass
UNION ALL SELECT matviewname FROM pg_matviews WHERE matviewname = %(t)s || '_kept' ORDER BY 1"""


@dataclass(frozen=True)
class TenantReference:
    """Foreign key to a row of the same tenant: `column` refers to `target_column` of `target`."""

    column: str
    target: str
    target_column: str
    nullable: bool


@dataclass(frozen=True)
class AttackTarget:
    """An attacked table; `owner` is the column that identifies the owner of a row."""

    table: str
    owner: str
    columns: tuple[str, ...]
    references: tuple[TenantReference, ...]
    # Unique column -> type, without ids.
    unique: dict[str, str] = field(hash=False)
    partitions: tuple[str, ...]
    # Column with choices -> allowed values.
    choices: dict[str, tuple[str, ...]] = field(hash=False)
    # Whether the primary key includes the tenant, so that ids are not globally unique.
    shares_ids: bool = False

    @property
    def is_identity(self) -> bool:
        """Whether the identity role reads the table for sign-in: users and tenants."""
        return self.owner == "id"

    @property
    def is_report(self) -> bool:
        """Whether it is the view of a report; the first of `partitions` is its materialized view."""
        return self.partitions == (f"{self.table}_kept",)


@dataclass(frozen=True)
class AttackFixture:
    """Database, tenants and tables of an attack.

    `rows` has one row per table and tenant, as JSON. `users` owns the rows; `colleagues` are administrators who
    own none.
    """

    database: str
    tenants: tuple[str, ...]
    users: dict[str, str]
    colleagues: dict[str, str]
    targets: tuple[AttackTarget, ...]
    rows: dict[tuple[str, str], dict[str, Any]]

    def pairs(self, count: int) -> list[tuple[str, str]]:
        """Return up to `count` ordered pairs (attacker, victim)."""
        return list(permutations(self.tenants, 2))[:count]

    def target(self, table: str) -> AttackTarget:
        return next(each for each in self.targets if each.table == table)

    def row_id(self, target: AttackTarget, tenant: str) -> str:
        return self.rows[target.table, tenant]["id"]

    def owner_of(self, target: AttackTarget, tenant: str) -> str:
        """Return the value of the owner column in the tenant's rows."""
        return self.rows[target.table, tenant][target.owner]


def list_attacked_models() -> list[type[models.Model]]:
    """Return all models with tenant rows, and the tenant and user models."""
    from config.testing.factories import project_models

    def is_owned(model: type[models.Model]) -> bool:
        columns = {each.column for each in model._meta.concrete_fields}
        return "tenant_id" in columns or model._meta.label in ("tenants.Tenant", "accounts.User")

    return [model for model in project_models() if is_owned(model)]


def create_attack_fixture(tenants: int) -> AttackFixture:
    """Create and commit `tenants` tenants, each with a row of every model."""
    created = [_create_tenant() for _ in range(tenants)]
    people = {tenant: user for tenant, user, _ in created}
    colleagues = {tenant: colleague for tenant, _, colleague in created}
    database = connection.settings_dict["NAME"]
    connection.close()
    with connect(OWNER, database=database) as owner:
        owner.execute("ANALYZE")
        targets = tuple(_describe_table(owner, model) for model in list_attacked_models())
        rows = {
            (target.table, tenant): _fetch_row(owner, target, tenant, people[tenant])
            for target in targets
            for tenant in people
        }
    return AttackFixture(database, tuple(people), people, colleagues, targets, rows)


def tenants_for_pairs(pairs: int) -> int:
    """Return the number of tenants required for `pairs` ordered pairs."""
    tenants = 2
    while tenants * (tenants - 1) < pairs:
        tenants += 1
    return tenants


def _create_tenant() -> tuple[str, str, str]:
    """Create a tenant and return its id, and the ids of its user and of a colleague."""
    from config.tenancy.scope import platform_scope, tenant_scope
    from config.testing.factories import factory_for

    with platform_scope(reason="a test tenant of the isolation report"):
        tenant: Any = factory_for("tenants.Tenant")()
    colleague: Any = factory_for("accounts.User")()
    user: Any = factory_for("accounts.User")()
    with tenant_scope(tenant, user=user):
        factory_for("accounts.Membership")(user=colleague, role="admin")
        factory_for("accounts.Membership")(user=user, role="admin")
        for model in list_attacked_models():
            if model._meta.label not in ("tenants.Tenant", "accounts.User", "accounts.Membership"):
                factory_for(model)()
        # Texts without a source belong to the whole tenant.
        factory_for("knowledge.Embedding")(source_id=factory_for("workflows.Task")().pk)
    return str(tenant.pk), str(user.pk), str(colleague.pk)


def _describe_table(owner: Any, model: type[models.Model]) -> AttackTarget:
    table = model._meta.db_table

    def column(statement: str) -> list[Any]:
        return owner.execute(statement, [table]).fetchall()

    columns = tuple(name for (name,) in column(COLUMNS_SQL))
    return AttackTarget(
        table=table,
        owner="tenant_id" if "tenant_id" in columns else "id",
        columns=columns,
        references=tuple(TenantReference(*row) for row in column(REFERENCES_SQL)),
        unique=dict(column(UNIQUE_SQL)),
        partitions=tuple(name for (name,) in owner.execute(PARTITIONS_SQL, {"t": table}).fetchall()),
        choices={
            f.column: tuple(value for value, _ in f.flatchoices) for f in model._meta.fields if f.choices
        },
        shares_ids=owner.execute(SHARED_IDS_SQL, [table]).fetchone() is not None,
    )


def _fetch_row(owner: Any, target: AttackTarget, tenant: str, user: str) -> dict[str, Any]:
    whose = user if target.table == "accounts_user" else tenant
    found = owner.execute(
        f"SELECT to_jsonb(t) FROM {target.table} t WHERE {target.owner} = %s ORDER BY id DESC LIMIT 1",
        [whose],
    ).fetchone()
    if found is None:
        raise LookupError(f"no row of {target.table} to attack")
    return found[0]


@contextmanager
def temporary_database() -> Iterator[str]:
    """Create a migrated database as the owner and drop it after the block."""
    from django.conf import settings

    before, test = connection.settings_dict["NAME"], connection.settings_dict["TEST"]["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"isolation_{uuid4().hex[:12]}"
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        restrict_database(name)
        yield name
    finally:
        connection.close()
        connection.creation.destroy_test_db(before, verbosity=0)
        settings.DATABASES["default"]["NAME"] = before
        connection.settings_dict["TEST"]["NAME"] = test
