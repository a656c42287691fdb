"""Attacks that write rows, owners, foreign keys and unique values."""

import json
import os
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from config.db.ids import uuid7
from config.testing.isolation.fixtures import TenantReference
from config.testing.isolation.runner import INSUFFICIENT_PRIVILEGE, AttackAttempt, LeakDetected

# Globally unique but not an oracle: 256 random bits cannot be guessed.
RANDOM_COLUMNS = frozenset(
    {
        ("accounts_apikey", "key_hash"),
        ("accounts_invitation", "token_digest"),
        ("accounts_passkeycredential", "credential_id"),
        ("workflows_approvallink", "token_digest"),
    }
)
# Further columns that a check constraint requires with a reference.
REQUIRED_COLUMNS = {("accounts_roleassignment", "engagement_id"): {"scope": "engagement"}}
# Parts of a unique key that a check constraint ties to another column; the other parts differ.
CHECKED_COLUMNS = frozenset({("agents_budget", "subject")})
FOREIGN_KEY, DUPLICATE = "23503", "23505"


def update_foreign(a: AttackAttempt) -> None:
    """Update the victim's row by id and by tenant, with and without RETURNING."""
    column = "updated_at" if "updated_at" in a.target.columns else a.target.owner
    for condition, value in (("id = %s", a.theirs), ("{owner} = %s", a.victim_owner_value)):
        a.assert_unchanged(f"UPDATE {{t}} SET {column} = {column} WHERE {condition}", value)
        a.assert_no_rows(f"UPDATE {{t}} SET {column} = {column} WHERE {condition} RETURNING id", value)


def change_owner(a: AttackAttempt) -> None:
    """Move the victim's row to the attacker's tenant, and the reverse."""
    a.assert_unchanged("UPDATE {t} SET {owner} = %s WHERE id = %s", a.own_owner_value, a.theirs)
    a.assert_refused("UPDATE {t} SET {owner} = %s WHERE id = %s", a.victim_owner_value, a.mine)


def delete_foreign(a: AttackAttempt) -> None:
    """Delete the victim's row by id and by tenant."""
    a.assert_unchanged("DELETE FROM {t} WHERE id = %s", a.theirs)
    a.assert_unchanged("DELETE FROM {t} WHERE {owner} = %s", a.victim_owner_value)
    a.assert_no_rows("DELETE FROM {t} WHERE {owner} = %s RETURNING id", a.victim_owner_value)


def insert_foreign(a: AttackAttempt) -> None:
    """Insert a row into the victim's tenant, with and without RETURNING."""
    row = copy_row(a, a.victim) | {a.target.owner: a.victim_owner_value}
    a.assert_refused(*insert_row(a, row))
    statement, *params = insert_row(a, row)
    a.assert_refused(statement + " RETURNING id", *params)


def upsert_and_merge(a: AttackAttempt) -> None:
    """Change the victim's row through ON CONFLICT and MERGE."""
    row = copy_row(a, a.me) | {"id": a.theirs}
    if a.target.owner != "id":
        row[a.target.owner] = a.own_owner_value
    statement, *params = insert_row(a, row)
    if a.target.shares_ids:
        # Tenants may use the same id, but not refer to each other's rows.
        state, _, _ = a.run(statement, *params)
        if state not in (INSUFFICIENT_PRIVILEGE, FOREIGN_KEY):
            raise LeakDetected(f"the victim's id answers {state!r} in the own tenant")
    else:
        a.assert_refused(
            f"{statement} ON CONFLICT (id) DO UPDATE SET {a.target.owner} = excluded.{a.target.owner}",
            *params,
        )
    a.assert_unchanged(
        "MERGE INTO {t} USING (SELECT %s::uuid AS wanted) s ON {t}.id = s.wanted"
        " WHEN MATCHED THEN UPDATE SET {owner} = {t}.{owner}",
        a.theirs,
    )
    a.assert_unchanged(
        "MERGE INTO {t} USING (SELECT %s::uuid AS wanted) s ON {t}.id = s.wanted WHEN MATCHED THEN DELETE",
        a.theirs,
    )


def reference_foreign(a: AttackAttempt) -> None:
    """Refer to the victim's row; the error must equal that of a missing id."""
    for reference in a.target.references:
        foreign = a.fixture.rows[reference.target, a.victim][reference.target_column]
        theirs = _reference_sqlstates(a, reference, foreign)
        missing = _reference_sqlstates(a, reference, str(uuid7()))
        if "" in theirs:
            raise LeakDetected(f"{reference.column} accepts the victim's {reference.target}")
        if theirs != missing and reference.column != "id":
            raise LeakDetected(
                f"{reference.column} answers {theirs} for the victim's row, {missing} for none"
            )
        if FOREIGN_KEY not in missing and missing != [INSUFFICIENT_PRIVILEGE, INSUFFICIENT_PRIVILEGE]:
            raise LeakDetected(f"{reference.column} was never asked: {missing}")


def _reference_sqlstates(a: AttackAttempt, reference: TenantReference, value: str) -> list[str]:
    """Return the SQLSTATEs of an insert and an update that refer to `value`."""
    extra = REQUIRED_COLUMNS.get((a.target.table, reference.column), {})
    row = copy_row(a, a.me) | {each.column: None for each in a.target.references if each.nullable}
    row |= extra | {reference.column: value}
    states = []
    with a.rolled_back():
        states.append(a.run(*insert_row(a, row))[0])
    changes = ", ".join(f"{column} = %s" for column in (reference.column, *extra))
    with a.rolled_back():
        states.append(a.run(f"UPDATE {{t}} SET {changes} WHERE id = %s", value, *extra.values(), a.mine)[0])
    return states


def unique_oracle(a: AttackAttempt) -> None:
    """Use the victim's unique values, which must be available to the attacker."""
    row = a.fixture.rows[a.target.table, a.victim] | {"id": str(uuid7())}
    row |= {each.column: a.fixture.rows[a.target.table, a.me][each.column] for each in a.target.references}
    if a.target.owner != "id":
        row |= {a.target.owner: a.own_owner_value}
    row |= {name: _other_value(a, name, row[name]) for name in a.target.unique if _is_random(a, name)}
    a.run("DELETE FROM {t} WHERE id = %s", a.mine)
    state, _, _ = a.run(*insert_row(a, row))
    mine = a.fixture.rows[a.target.table, a.me]
    if state == DUPLICATE and all(row[name] == mine[name] for name in a.target.unique):
        return  # an undeletable row of the attacker has the same values
    if state not in ("", INSUFFICIENT_PRIVILEGE, FOREIGN_KEY):
        raise LeakDetected(f"the victim's values of {a.target.table} answer {state}")


def _is_random(a: AttackAttempt, column: str) -> bool:
    return (a.target.table, column) in RANDOM_COLUMNS


def insert_row(a: AttackAttempt, row: dict[str, Any]) -> tuple[Any, ...]:
    names = ", ".join(f'"{column}"' for column in a.target.columns)
    statement = f"INSERT INTO {{t}} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{{t}}, %s)"
    return statement, json.dumps(row)


def copy_row(a: AttackAttempt, tenant: str) -> dict[str, Any]:
    """Return a copy of the tenant's row with a new id and new unique values."""
    row = dict(a.fixture.rows[a.target.table, tenant])
    row["id"] = str(uuid7())
    return row | {name: _other_value(a, name, row[name]) for name in a.target.unique}


def _other_value(a: AttackAttempt, column: str, value: Any) -> Any:
    """Return another value that the column's checks allow."""
    kind = a.target.unique[column]
    if value is None:
        return None
    if (a.target.table, column) in CHECKED_COLUMNS:
        return value
    if column in a.target.choices:
        return next(other for other in a.target.choices[column] if other != value)
    if kind.startswith("timestamp"):
        return (datetime.fromisoformat(value) - timedelta(days=1 + os.urandom(1)[0])).isoformat()
    if kind == "date":
        return str(date.fromisoformat(value) - timedelta(days=1 + os.urandom(1)[0]))
    if kind == "bytea":
        return "\\x" + os.urandom(32).hex()
    if kind in ("integer", "smallint", "bigint"):
        return 2000 + os.urandom(1)[0]
    return f"{value[:40]}-{uuid4().hex[:8]}"
