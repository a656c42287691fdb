"""Building blocks of mutations and of proofs that a protection holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from config.db.session import APP
from config.postgres.logins import OWNER
from config.testing.database import connect
from config.testing.isolation.attacks import ATTACKS
from config.testing.isolation.fixtures import AttackFixture
from config.testing.isolation.runner import run_matrix

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
