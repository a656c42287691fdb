"""SQL functions that verify the proof of a scope (`config.db.scope_proofs`).

A setting such as `app.current_tenant_id` can be changed by any statement, so SQL injected into a statement of one
tenant could name another one. These functions return a value only if `app.scope_proof` is the HMAC-SHA256 of the role
and all settings under a key that `conclave_scope` alone can read. Without a proof they return null. A wrong or expired
proof is an error.

Policies call them in a subquery, which PostgreSQL evaluates once for each table of a statement.
`docs/decisions/0011-proved-scopes.md` compares this with verifying once per transaction.
"""

from dataclasses import dataclass

from config.db.session import SETTINGS

_VALUES = ", E'\\n', ".join(
    ["left(proof, 18)", "current_setting('role')", *(f"current_setting('{name}', true)" for name in SETTINGS)]
)


def _setting(name: str, kind: str) -> str:
    return f"nullif(current_setting('app.{name}', true), '')::{kind}"


# A statement may need them all: the view of a report calls two, and the owner's functions call them for their callers.
_CALLERS = "conclave_app, conclave_reader, conclave_operator, conclave_identity, conclave_owner"


@dataclass(frozen=True)
class _Verifier:
    """SQL function that executes `body` if the scope is proved, else `unproved`."""

    name: str
    returns: str
    body: str
    callers: str = _CALLERS
    unproved: str = "RETURN NULL;"

    def sql(self, *, verify: bool = True) -> str:
        return f"""
CREATE OR REPLACE FUNCTION {self.name} {self.returns} LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  proof text := current_setting('app.scope_proof', true);
  key record;
BEGIN{self._checks() if verify else ""}
  {self.body}
END $$;
REVOKE ALL ON FUNCTION {self.name}() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {self.name}() TO {self.callers};"""

    def _checks(self) -> str:
        return f"""
  IF proof IS NULL OR proof = '' THEN {self.unproved} END IF;
  SELECT k.inner_block, k.outer_block INTO key FROM public.conclave_scope_key k WHERE k.id = left(proof, 8);
  IF encode(sha256(key.outer_block || sha256(key.inner_block || convert_to(concat({_VALUES}), 'UTF8'))), 'hex')
     IS DISTINCT FROM substr(proof, 19) THEN
    RAISE EXCEPTION 'the scope is not proved' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF substr(proof, 9, 10)::bigint < extract(epoch FROM now()) THEN
    RAISE EXCEPTION 'the proof of the scope has expired' USING ERRCODE = 'insufficient_privilege';
  END IF;"""


_VERIFIERS = (
    _Verifier(
        "conclave_current_tenant", "() RETURNS uuid", f"RETURN {_setting('current_tenant_id', 'uuid')};"
    ),
    _Verifier("conclave_current_user", "() RETURNS uuid", f"RETURN {_setting('current_user_id', 'uuid')};"),
    _Verifier(
        "conclave_platform_scope",
        "() RETURNS boolean",
        "RETURN current_setting('role') = 'conclave_operator';",
    ),
    _Verifier(
        "conclave_identity_scope",
        "() RETURNS boolean",
        "RETURN current_setting('role') IN ('none', 'conclave_identity');",
    ),
    _Verifier(
        "conclave_audit_scope",
        "(OUT tenant uuid, OUT person uuid, OUT actor text, OUT ip inet, OUT user_agent text, OUT request_id text)",
        f"""tenant := {_setting("current_tenant_id", "uuid")};
  person := {_setting("current_user_id", "uuid")};
  actor := {_setting("actor", "text")};
  ip := {_setting("ip", "inet")};
  user_agent := current_setting('app.user_agent', true);
  request_id := current_setting('app.request_id', true);""",
        callers="conclave_audit",
        # Other roles write without a scope: the owner in migrations, for example.
        unproved="""
    IF current_setting('role') IN ('conclave_app', 'conclave_operator') THEN
      RAISE EXCEPTION 'unattributed write: the scope is not proved' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN;
 """,
    ),
)

# Created by a later migration than the others.
ENGAGEMENT_VERIFIER = _Verifier(
    "conclave_current_engagement",
    "() RETURNS uuid",
    f"RETURN {_setting('current_engagement_id', 'uuid')};",
    callers="conclave_app, conclave_reader, conclave_operator, conclave_owner",
)


def _create_sql(*, verify: bool) -> str:
    """Return SQL that creates the functions as their owner.

    No other role can read the keys or replace the functions.
    """
    functions = "".join(verifier.sql(verify=verify) for verifier in _VERIFIERS)
    return f"""
SET LOCAL ROLE conclave_scope;
CREATE TABLE IF NOT EXISTS conclave_scope_key (
  id text PRIMARY KEY, inner_block bytea NOT NULL, outer_block bytea NOT NULL);
-- Without a policy, only the table's owner sees rows. pg_dump as conclave_owner can lock the table, and dumps no key.
ALTER TABLE conclave_scope_key ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON conclave_scope_key TO conclave_owner;{functions}
SET LOCAL ROLE NONE;
"""


SCOPE_PROOFS = f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'conclave_scope') THEN
    RAISE EXCEPTION 'the role conclave_scope is missing' USING HINT = 'Run "manage.py db_roles --apply".';
  END IF;
  GRANT USAGE, CREATE ON SCHEMA public TO conclave_scope;
  -- In databases of earlier versions these functions trust every setting and belong to conclave_owner.
  IF to_regprocedure('public.conclave_current_tenant()') IS NOT NULL THEN
    ALTER FUNCTION conclave_current_tenant() OWNER TO conclave_scope;
    ALTER FUNCTION conclave_current_user() OWNER TO conclave_scope;
  END IF;
END $$;
{_create_sql(verify=True)}"""
# The functions then trust every setting, as in earlier versions.
SCOPE_PROOFS_REVERT = _create_sql(verify=False)
