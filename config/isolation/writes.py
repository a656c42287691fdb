"""Attacks that write rows, owners, foreign keys and unique values."""

import json
import os
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from config.db.ids import uuid7
from config.isolation.ground import Reference
from config.isolation.matrix import REFUSED, Attempt, Leak

# Globally unique but not an oracle: 256 random bits cannot be guessed.
UNGUESSABLE = frozenset({("accounts_apikey", "key_hash"), ("accounts_passkeycredential", "credential_id")})
# Further columns that a check constraint requires with a reference.
BESIDE = {("accounts_roleassignment", "engagement_id"): {"scope": "engagement"}}
# Parts of a unique key that a check constraint ties to another column; the other parts differ.
BOUND = frozenset({("agents_budget", "subject")})
FOREIGN_KEY, DUPLICATE = "23503", "23505"


def update_foreign(a: Attempt) -> None:
    """Update the victim's row by id and by tenant, with and without RETURNING."""
    column = "updated_at" if "updated_at" in a.target.columns else a.target.owner
    for condition, value in (("id = %s", a.theirs), ("{owner} = %s", a.their_mark)):
        a.untouched(f"UPDATE {{t}} SET {column} = {column} WHERE {condition}", value)
        a.no_rows(f"UPDATE {{t}} SET {column} = {column} WHERE {condition} RETURNING id", value)


def change_owner(a: Attempt) -> None:
    """Move the victim's row to the attacker's tenant, and the reverse."""
    a.untouched("UPDATE {t} SET {owner} = %s WHERE id = %s", a.my_mark, a.theirs)
    a.refused("UPDATE {t} SET {owner} = %s WHERE id = %s", a.their_mark, a.mine)


def delete_foreign(a: Attempt) -> None:
    """Delete the victim's row by id and by tenant."""
    a.untouched("DELETE FROM {t} WHERE id = %s", a.theirs)
    a.untouched("DELETE FROM {t} WHERE {owner} = %s", a.their_mark)
    a.no_rows("DELETE FROM {t} WHERE {owner} = %s RETURNING id", a.their_mark)


def insert_foreign(a: Attempt) -> None:
    """Insert a row into the victim's tenant, with and without RETURNING."""
    row = _fresh(a, a.victim) | {a.target.owner: a.their_mark}
    a.refused(*_insert(a, row))
    statement, *params = _insert(a, row)
    a.refused(statement + " RETURNING id", *params)


def upsert_and_merge(a: Attempt) -> None:
    """Change the victim's row through ON CONFLICT and MERGE."""
    row = _fresh(a, a.me) | {"id": a.theirs}
    if a.target.owner != "id":
        row[a.target.owner] = a.my_mark
    statement, *params = _insert(a, row)
    if a.target.shares_ids:
        # Tenants may use the same id, but not refer to each other's rows.
        state, _, _ = a.run(statement, *params)
        if state not in (REFUSED, FOREIGN_KEY):
            raise Leak(f"the victim's id answers {state!r} in the own tenant")
    else:
        a.refused(
            f"{statement} ON CONFLICT (id) DO UPDATE SET {a.target.owner} = excluded.{a.target.owner}",
            *params,
        )
    a.untouched(
        "MERGE INTO {t} USING (SELECT %s::uuid AS wanted) s ON {t}.id = s.wanted"
        " WHEN MATCHED THEN UPDATE SET {owner} = {t}.{owner}",
        a.theirs,
    )
    a.untouched(
        "MERGE INTO {t} USING (SELECT %s::uuid AS wanted) s ON {t}.id = s.wanted WHEN MATCHED THEN DELETE",
        a.theirs,
    )


def reference_foreign(a: Attempt) -> None:
    """Refer to the victim's row; the error must equal that of a missing id."""
    for reference in a.target.references:
        foreign = a.ground.rows[reference.target, a.victim][reference.target_column]
        theirs = _answers(a, reference, foreign)
        missing = _answers(a, reference, str(uuid7()))
        if "" in theirs:
            raise Leak(f"{reference.column} accepts the victim's {reference.target}")
        if theirs != missing and reference.column != "id":
            raise Leak(f"{reference.column} answers {theirs} for the victim's row, {missing} for none")
        if FOREIGN_KEY not in missing and missing != [REFUSED, REFUSED]:
            raise Leak(f"{reference.column} was never asked: {missing}")


def _answers(a: Attempt, reference: Reference, value: str) -> list[str]:
    """Return the SQLSTATEs of an insert and an update that refer to `value`."""
    extra = BESIDE.get((a.target.table, reference.column), {})
    row = _fresh(a, a.me) | {each.column: None for each in a.target.references if each.nullable}
    row |= extra | {reference.column: value}
    states = []
    with a.undone():
        states.append(a.run(*_insert(a, row))[0])
    changes = ", ".join(f"{column} = %s" for column in (reference.column, *extra))
    with a.undone():
        states.append(a.run(f"UPDATE {{t}} SET {changes} WHERE id = %s", value, *extra.values(), a.mine)[0])
    return states


def unique_oracle(a: Attempt) -> None:
    """Use the victim's unique values, which must be available to the attacker."""
    row = a.ground.rows[a.target.table, a.victim] | {"id": str(uuid7())}
    row |= {each.column: a.ground.rows[a.target.table, a.me][each.column] for each in a.target.references}
    if a.target.owner != "id":
        row |= {a.target.owner: a.my_mark}
    row |= {name: _other(a, name, row[name]) for name in a.target.unique if _is_random(a, name)}
    a.run("DELETE FROM {t} WHERE id = %s", a.mine)
    state, _, _ = a.run(*_insert(a, row))
    mine = a.ground.rows[a.target.table, a.me]
    if state == DUPLICATE and a.target.unique and all(row[name] == mine[name] for name in a.target.unique):
        return  # an undeletable row of the attacker has the same values
    if state not in ("", REFUSED, FOREIGN_KEY):
        raise Leak(f"the victim's values answer {state}")


def _is_random(a: Attempt, column: str) -> bool:
    return (a.target.table, column) in UNGUESSABLE


def _insert(a: Attempt, row: dict[str, Any]) -> tuple[Any, ...]:
    names = ", ".join(f'"{column}"' for column in a.target.columns)
    statement = f"INSERT INTO {{t}} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{{t}}, %s)"
    return statement, json.dumps(row)


def _fresh(a: Attempt, tenant: str) -> dict[str, Any]:
    """Return a copy of the tenant's row with a new id and new unique values."""
    row = dict(a.ground.rows[a.target.table, tenant])
    row["id"] = str(uuid7())
    return row | {name: _other(a, name, row[name]) for name in a.target.unique}


def _other(a: Attempt, column: str, value: Any) -> Any:
    """Return another value that the column's checks allow."""
    kind = a.target.unique[column]
    if value is None:
        return None
    if (a.target.table, column) in BOUND:
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
