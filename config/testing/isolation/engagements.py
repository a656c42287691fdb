"""Attacks of a scope that is limited to an engagement on the rows of another engagement."""

from contextlib import AbstractContextManager
from functools import partial
from uuid import UUID, uuid4

from django.db import models

from config.db.engagements import EngagementIsolation
from config.db.session import APP, READER, SESSION_SQL, Scope
from config.testing.isolation.fixtures import AttackFixture, AttackTarget
from config.testing.isolation.mutation_base import Mutation, prove_inside, replaced_conditions, run_inside
from config.testing.isolation.runner import Attack, AttackAttempt, IsolationReport, LeakDetected
from config.testing.isolation.writes import REQUIRED_COLUMNS, copy_row, insert_row

ROLES = (APP, READER)
ENGAGEMENTS = "tenants_engagement"


def list_engagement_models() -> list[type[models.Model]]:
    """Return the models with rows that belong to engagements."""
    from config.testing.factories import project_models

    return [model for model in project_models() if _constraint_of(model)]


def _constraint_of(model: type[models.Model]) -> EngagementIsolation | None:
    found = (each for each in model._meta.constraints if isinstance(each, EngagementIsolation))
    return next(found, None)


def engagement_targets(fixture: AttackFixture) -> list[AttackTarget]:
    """Return the tables with rows that belong to engagements."""
    return [fixture.target(model._meta.db_table) for model in list_engagement_models()]


def engagement_reads(a: AttackAttempt) -> None:
    """Read a row of another engagement by ID, in a list and in a count; its engagement's scope is the control."""
    _put_into_engagement(a)
    for role in ROLES:
        _enter(a, _engagement(a), role)
        if len(a.rows("SELECT id FROM {t} WHERE id = %s", a.theirs)) != 1:
            raise LeakDetected("the engagement's own scope cannot read the row: this proves nothing")
        _enter(a, uuid4(), role)
        a.assert_no_rows("SELECT id FROM {t} WHERE id = %s", a.theirs)
        a.assert_zero(
            "SELECT count(*) FROM {t} WHERE id = %s OR (id IS NOT NULL AND id = %s)", a.theirs, a.theirs
        )
        a.assert_no_rows("SELECT id FROM (SELECT id FROM {t} OFFSET 0) x WHERE id = %s", a.theirs)


def engagement_updates(a: AttackAttempt) -> None:
    """Update a row of another engagement, or move it to the own one."""
    _put_into_engagement(a)
    mine = uuid4()
    _enter(a, mine)
    column = "updated_at" if "updated_at" in a.target.columns else a.target.owner
    a.assert_unchanged(f"UPDATE {{t}} SET {column} = {column} WHERE id = %s", a.theirs)
    if "engagement_id" in a.target.columns:
        a.assert_unchanged("UPDATE {t} SET engagement_id = %s WHERE id = %s", mine, a.theirs)
    a.assert_no_rows("SELECT id FROM {t} WHERE id = %s FOR UPDATE", a.theirs)


def engagement_deletes(a: AttackAttempt) -> None:
    """Delete a row of another engagement, and one of all engagements."""
    if a.fixture.rows[a.target.table, a.victim].get("engagement_id", "") is None:
        _enter(a, uuid4())
        a.assert_unchanged("DELETE FROM {t} WHERE id = %s", a.theirs)
    _enter(a, None)
    _put_into_engagement(a)
    _enter(a, uuid4())
    a.assert_unchanged("DELETE FROM {t} WHERE id = %s", a.theirs)


def engagement_inserts(a: AttackAttempt) -> None:
    """Insert a row into another engagement, or under parents of another one."""
    row = copy_row(a, a.victim)
    if _find_root(a) is not None:
        _put_into_engagement(a)
    if "engagement_id" in a.target.columns:
        row |= {"engagement_id": str(_engagement(a)), **_required(a)}
    _enter(a, uuid4())
    a.assert_refused(*insert_row(a, row))


ENGAGEMENT_ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (engagement_reads, engagement_updates, engagement_deletes, engagement_inserts)
}


def run_engagement_matrix(
    fixture: AttackFixture, *targets: AttackTarget, attacks: dict[str, Attack] = ENGAGEMENT_ATTACKS
) -> IsolationReport:
    """Run the attacks from another engagement on `targets`, by default on all tables of engagements."""
    return run_inside(fixture, attacks, targets or engagement_targets(fixture))


def without_engagement_policies(
    fixture: AttackFixture, *, table: str, prefix: str
) -> AbstractContextManager[None]:
    """Let the policies of engagements of `table` accept every row."""
    own = "permissive = 'RESTRICTIVE' AND policyname LIKE %s"
    return replaced_conditions(fixture, table, "true", own, f"{prefix}%")


def engagement_mutations() -> list[Mutation]:
    """Return a mutation for each table of engagements: its policies accept every row."""
    return [
        Mutation(
            f"engagement policies of {table} removed",
            partial(without_engagement_policies, table=table, prefix=_constraint_of(model).name),  # type: ignore[union-attr]
            prove_inside(ENGAGEMENT_ATTACKS, table),
        )
        for model in list_engagement_models()
        for table in [model._meta.db_table]
    ]


def _engagement(a: AttackAttempt) -> UUID:
    """Return the engagement of the victim's row."""
    row = a.fixture.rows[a.target.table, a.victim]
    if a.target.table == ENGAGEMENTS:
        return UUID(row["id"])
    if (root := _find_root(a)) is not None:
        return a.rows(f"SELECT engagement_id FROM {root[0]} WHERE id = %s", root[1])[0][0]
    return UUID(row.get("engagement_id") or a.fixture.rows[ENGAGEMENTS, a.victim]["id"])


def _find_root(a: AttackAttempt) -> tuple[str, UUID] | None:
    """Return the table and ID of the ancestor that has the engagement, or None if the row has no ancestors."""
    table, key = a.target.table, UUID(str(a.theirs))
    _enter(a, None)
    while parents := _parents(table):
        columns = ", ".join(parents)
        values = a.rows(f"SELECT {columns} FROM {table} WHERE id = %s", key)[0]
        found = [(parent, value) for parent, value in zip(parents.values(), values, strict=True) if value]
        if not found:
            return None
        table, key = found[0]
    return None if table == a.target.table else (table, key)


def _parents(table: str) -> dict[str, str]:
    """Return the tables of the parents by column."""
    found = (_constraint_of(model) for model in list_engagement_models() if model._meta.db_table == table)
    return next((constraint.parents or {} for constraint in found if constraint), {})


def _required(a: AttackAttempt) -> dict[str, str]:
    """Return values of other columns that a row with an engagement must have."""
    return REQUIRED_COLUMNS.get((a.target.table, "engagement_id"), {})


def _put_into_engagement(a: AttackAttempt) -> None:
    """Give the victim's row an engagement if it has none."""
    if (root := _find_root(a)) is not None:
        statement = f"UPDATE {root[0]} SET engagement_id = coalesce(engagement_id, %s) WHERE id = %s"
        a.run(statement, a.fixture.rows[ENGAGEMENTS, a.victim]["id"], root[1])
        return
    if a.fixture.rows[a.target.table, a.victim].get("engagement_id", "") is not None:
        return
    values = {"engagement_id": str(_engagement(a)), **_required(a)}
    columns = ", ".join(f"{name} = %s" for name in values)
    state, _, count = a.run(f"UPDATE {{t}} SET {columns} WHERE id = %s", *values.values(), a.theirs)
    if count != 1:
        raise LeakDetected(f"the row cannot be put into an engagement ({state}): this proves nothing")


def _enter(a: AttackAttempt, engagement: UUID | None, role: str = APP) -> None:
    user = a.fixture.users[a.victim]
    scope = Scope(role, UUID(a.victim), UUID(user), engagement, actor=f"user:{user}")
    a.connection.execute(SESSION_SQL, scope.params())
