"""Building blocks of mutations and of proofs that a protection holds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from config.db.session import APP
from config.postgres.logins import OWNER
from config.testing.database import connect
from config.testing.isolation.attacks import ATTACKS
from config.testing.isolation.fixtures import AttackFixture, AttackTarget
from config.testing.isolation.runner import Attack, IsolationReport, run_matrix

TABLE = "agents_agent"

Proof = Callable[[AttackFixture], list[str]]
Breakage = Callable[[AttackFixture], Any]


@dataclass(frozen=True)
class Mutation:
    """A broken protection: `proof` must report failures while `break_it` is active."""

    name: str
    break_it: Breakage
    proof: Proof
    needs_superuser: bool = False


def prove_by_attacks(*tables: str, role: str = APP) -> Proof:
    """Return a proof that runs every attack on `tables`, for one pair of tenants."""

    def proof(fixture: AttackFixture) -> list[str]:
        targets = [fixture.target(table) for table in tables]
        report = run_matrix(fixture, ATTACKS, fixture.pairs(1), targets=targets, role=role)
        return [f"{found.attack}: {found.what}" for found in report.findings]

    return proof


def run_inside(
    fixture: AttackFixture, attacks: dict[str, Attack], targets: Sequence[AttackTarget]
) -> IsolationReport:
    """Run attacks inside the first tenant, where attacker and victim are of the same tenant."""
    tenant = fixture.tenants[0]
    return run_matrix(fixture, attacks, [(tenant, tenant)], targets=targets)


def prove_inside(attacks: dict[str, Attack], table: str) -> Proof:
    """Return a proof that runs attacks inside a tenant on `table`."""

    def proof(fixture: AttackFixture) -> list[str]:
        report = run_inside(fixture, attacks, [fixture.target(table)])
        return [f"{found.attack}: {found.what}" for found in report.findings]

    return proof


@contextmanager
def replaced_conditions(
    fixture: AttackFixture, table: str, condition: str, policies: str, *params: Any
) -> Iterator[None]:
    """Replace the conditions of policies of `table` during the block.

    Args:
        policies: SQL condition of the rows of `pg_policies`, with its parameters.
    """
    query = f"SELECT policyname, qual, with_check FROM pg_policies WHERE tablename = %s AND {policies}"
    with connect(OWNER, database=fixture.database) as owner:
        found = owner.execute(query, [table, *params]).fetchall()
        try:
            for name, using, check in found:
                owner.execute(_alter_policy(table, name, using and condition, check and condition))
            yield
        finally:
            for name, using, check in found:
                owner.execute(_alter_policy(table, name, using, check))


def _alter_policy(table: str, name: str, using: str | None, check: str | None) -> str:
    clauses = f" USING ({using})" if using else ""
    clauses += f" WITH CHECK ({check})" if check else ""
    return f'ALTER POLICY "{name}" ON {table}{clauses}'


def run_as_owner(broken: str, mended: str) -> Breakage:
    """Run `broken` as the schema owner, and `mended` after the block."""

    @contextmanager
    def breakage(fixture: AttackFixture) -> Iterator[None]:
        with connect(OWNER, database=fixture.database) as owner:
            owner.execute(broken)
            try:
                yield
            finally:
                owner.execute(mended)

    return breakage
