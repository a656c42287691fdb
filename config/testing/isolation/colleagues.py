"""Attacks of a colleague in the same tenant on another person's rows."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial

from django.db import models

from config.db.constraints import TENANT_CLAUSE
from config.db.session import APP, READER
from config.tenancy.models import PERSON_KINDS
from config.testing.isolation.fixtures import AttackFixture, AttackTarget
from config.testing.isolation.mutation_base import Mutation, prove_inside, replaced_conditions, run_inside
from config.testing.isolation.runner import Attack, AttackAttempt, IsolationReport, LeakDetected
from config.testing.isolation.writes import copy_row, insert_row

ROLES = (APP, READER)


def list_person_models() -> list[type[models.Model]]:
    """Return the models with rows that belong to a person."""
    from config.testing.factories import project_models

    return [model for model in project_models() if getattr(model, "scope_kind", "") in PERSON_KINDS]


def person_targets(fixture: AttackFixture) -> list[AttackTarget]:
    """Return the tables with rows that belong to a person."""
    return [fixture.target(model._meta.db_table) for model in list_person_models()]


def colleague_reads(a: AttackAttempt) -> None:
    """Read a colleague's row by id, in a list and in a count; its owner reads it as the control."""
    for role in ROLES:
        a.set_scope(a.victim, role)
        if len(a.rows("SELECT id FROM {t} WHERE id = %s", a.theirs)) != 1:
            raise LeakDetected("the owner cannot read the row: this proves nothing")
        _become_colleague(a, role)
        a.assert_no_rows("SELECT id FROM {t} WHERE id = %s", a.theirs)
        a.assert_zero(
            "SELECT count(*) FROM {t} WHERE id = %s OR (id IS NOT NULL AND id = %s)", a.theirs, a.theirs
        )
        a.assert_no_rows("SELECT id FROM (SELECT id FROM {t} OFFSET 0) x WHERE id = %s", a.theirs)


def colleague_updates(a: AttackAttempt) -> None:
    """Update a colleague's row, or take it over."""
    _become_colleague(a)
    column = "updated_at" if "updated_at" in a.target.columns else a.target.owner
    a.assert_unchanged(f"UPDATE {{t}} SET {column} = {column} WHERE id = %s", a.theirs)
    if "user_id" in a.target.columns:
        a.assert_unchanged(
            "UPDATE {t} SET user_id = %s WHERE id = %s", a.fixture.colleagues[a.victim], a.theirs
        )
    a.assert_no_rows("SELECT id FROM {t} WHERE id = %s FOR UPDATE", a.theirs)


def colleague_deletes(a: AttackAttempt) -> None:
    """Delete a colleague's row."""
    _become_colleague(a)
    a.assert_unchanged("DELETE FROM {t} WHERE id = %s", a.theirs)


def colleague_inserts(a: AttackAttempt) -> None:
    """Insert a row in a colleague's name, or into what a colleague owns."""
    _become_colleague(a)
    a.assert_refused(*insert_row(a, copy_row(a, a.victim)))


COLLEAGUE_ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (colleague_reads, colleague_updates, colleague_deletes, colleague_inserts)
}


def run_colleague_matrix(
    fixture: AttackFixture, *targets: AttackTarget, attacks: dict[str, Attack] = COLLEAGUE_ATTACKS
) -> IsolationReport:
    """Run the attacks of a colleague on `targets`, by default on all tables of people, in one tenant."""
    return run_inside(fixture, attacks, targets or person_targets(fixture))


def without_person_clause(
    fixture: AttackFixture, *, table: str, roles: Sequence[str] = ROLES
) -> AbstractContextManager[None]:
    """Reduce the policies of `table` for the roles of the application to the tenant."""
    return replaced_conditions(fixture, table, TENANT_CLAUSE, "roles <@ %s::name[]", [*roles])


def colleague_mutations() -> list[Mutation]:
    """Return a mutation for each table of people and role: its policies without the person clause."""
    return [
        Mutation(
            f"person clause of {table} removed for {role}",
            partial(without_person_clause, table=table, roles=[role]),
            prove_inside(COLLEAGUE_ATTACKS, table),
        )
        for table in sorted(model._meta.db_table for model in list_person_models())
        for role in ROLES
    ]


def _become_colleague(a: AttackAttempt, role: str = APP) -> None:
    a.set_scope(a.victim, role, user=a.fixture.colleagues[a.victim])
