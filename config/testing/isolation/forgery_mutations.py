"""Mutations of the protection against forged scopes."""

from collections.abc import Iterator
from contextlib import contextmanager

from config.db.constraints import IDENTITY_CLAUSE, PLATFORM_CLAUSE
from config.db.scope_functions import SCOPE_PROOFS, SCOPE_PROOFS_REVERT
from config.db.session import IDENTITY, OPERATOR
from config.postgres.logins import OWNER, PLATFORM, WEB
from config.testing.database import connect
from config.testing.isolation.fixtures import AttackFixture
from config.testing.isolation.mutation_base import TABLE, Mutation, Proof, prove_by_attacks, run_as_owner

IDENTITY_TABLE = "accounts_user"


def _operator_policy_sql(using: str) -> str:
    return f"ALTER POLICY agents_agent_rls_operator_all ON {TABLE} USING ({using}) WITH CHECK ({using})"


def _identity_policy_sql(using: str) -> str:
    policy = f"{IDENTITY_TABLE}_rls_identity_all"
    return f"ALTER POLICY {policy} ON {IDENTITY_TABLE} USING ({using}) WITH CHECK ({using})"


def prove_by_login(login: str, role: str, table: str) -> Proof:
    """Return a proof that reads `table` as `role` without a proof of the scope."""

    def proof(fixture: AttackFixture) -> list[str]:
        with connect(login, database=fixture.database) as connection:
            connection.execute(f"SET ROLE {role}")
            found = connection.execute(f"SELECT id FROM public.{table}").fetchall()
        return [f"{role} reads {len(found)} rows of {table}"] if found else []

    return proof


@contextmanager
def with_expired_proofs(fixture: AttackFixture) -> Iterator[None]:
    """Remove the comparison with the time from the function that returns the tenant."""
    with connect(OWNER, database=fixture.database) as owner:
        found = owner.execute("SELECT pg_get_functiondef('conclave_current_tenant'::regproc)").fetchone()
    definition = f"SET LOCAL ROLE conclave_scope; {found[0]}"  # type: ignore[index]
    with run_as_owner(definition.replace("extract(epoch FROM now())", "0"), definition)(fixture):
        yield


FORGERY_MUTATIONS = (
    Mutation(
        "scope trusted without a proof",
        run_as_owner(SCOPE_PROOFS_REVERT, SCOPE_PROOFS),
        prove_by_attacks(TABLE),
    ),
    Mutation(
        "operator trusted without a proof",
        run_as_owner(_operator_policy_sql("true"), _operator_policy_sql(PLATFORM_CLAUSE)),
        prove_by_login(PLATFORM, OPERATOR, TABLE),
    ),
    Mutation(
        "sign-in trusted without a proof",
        run_as_owner(_identity_policy_sql("true"), _identity_policy_sql(IDENTITY_CLAUSE)),
        prove_by_login(WEB, IDENTITY, IDENTITY_TABLE),
    ),
    Mutation(
        "keys of proofs readable",
        run_as_owner(
            "SET LOCAL ROLE conclave_scope; GRANT SELECT ON conclave_scope_key TO conclave_app;"
            " ALTER TABLE conclave_scope_key DISABLE ROW LEVEL SECURITY",
            "SET LOCAL ROLE conclave_scope; REVOKE SELECT ON conclave_scope_key FROM conclave_app;"
            " ALTER TABLE conclave_scope_key ENABLE ROW LEVEL SECURITY",
        ),
        prove_by_attacks(TABLE),
    ),
    Mutation("expired proofs accepted", with_expired_proofs, prove_by_attacks(TABLE)),
)
