"""Attacks with a forged scope by SQL injected into a tenant's statement."""

import hashlib
import hmac
from typing import Any

from config.db.scope_proofs import prove_scope
from config.db.session import APP, IDENTITY, NO_ROLE, NO_SCOPE, OPERATOR, READER, SESSION_SQL
from config.testing.isolation.runner import AttackAttempt

ROLES = (APP, READER, OPERATOR, IDENTITY, NO_ROLE)
IDENTITY_ROLES = (IDENTITY, NO_ROLE)


def forge_tenant(a: AttackAttempt) -> None:
    """Set the victim's tenant and user, keep the attacker's proof, and read and write."""
    _forge(a, a.setting("role"), a.setting("app.scope_proof"))
    _assert_nothing(a)


def forge_role(a: AttackAttempt) -> None:
    """Change to every role of the login, with the attacker's scope and with the victim's."""
    for role in ROLES:
        for settings in ("the attacker's", "the victim's"):
            with a.rolled_back():
                if settings == "the victim's":
                    _forge(a, role, a.setting("app.scope_proof"))
                else:
                    a.run("SELECT set_config('role', %s, true)", role)
                _assert_nothing(a)


def forge_proof(a: AttackAttempt) -> None:
    """Use an expired proof of the victim, proofs under other keys, and none."""
    values = _victim_values(a, APP)
    expired = prove_scope(values, -3600)
    later = expired[:8] + f"{int(expired[8:18]) + 7200:010d}" + expired[18:]
    for proof in (expired, later, _prove_with(b"", values, expired), "", "x" * 82):
        for role in (APP, OPERATOR):
            with a.rolled_back():
                _forge(a, role, proof)
                _assert_nothing(a)


def read_keys(a: AttackAttempt) -> None:
    """Read the keys, and prove the victim's scope with them."""
    keys = a.rows("SELECT id, inner_block, outer_block FROM conclave_scope_key")
    for key_id, inner, outer in keys:
        values = _victim_values(a, APP)
        head = key_id + prove_scope(values)[8:18]
        message = "\n".join((head, *values)).encode()
        digest = hashlib.sha256(outer + hashlib.sha256(inner + message).digest()).hexdigest()
        _forge(a, APP, head + digest)
        _assert_nothing(a)
    for change in ("INSERT INTO conclave_scope_key VALUES ('x', '', '')", "DELETE FROM conclave_scope_key"):
        a.assert_refused(change)
    a.assert_refused("SET LOCAL ROLE conclave_scope")


def _victim_values(a: AttackAttempt, role: str) -> tuple[str, ...]:
    return a.scope_of(a.victim, role).values()


def _prove_with(key: bytes, values: tuple[str, ...], like: str) -> str:
    """Return a proof under another key, with the key id of `like`."""
    head = like[:8] + prove_scope(values)[8:18]
    return head + hmac.digest(key, "\n".join((head, *values)).encode(), "sha256").hex()


def _forge(a: AttackAttempt, role: str, proof: str) -> None:
    values: Any = NO_SCOPE.values() if role in (*IDENTITY_ROLES, OPERATOR) else _victim_values(a, role)
    a.run(SESSION_SQL, *(role, *values[1:]), proof)


def _assert_nothing(a: AttackAttempt) -> None:
    """Assert that the victim's rows can be neither read nor written."""
    # With the schema, since a login without a role does not find the table otherwise.
    a.assert_no_rows("SELECT id FROM public.{t} WHERE {owner} = %s", a.victim_owner_value)
    a.assert_unchanged("DELETE FROM public.{t} WHERE {owner} = %s", a.victim_owner_value)
    a.assert_unchanged("UPDATE public.{t} SET {owner} = {owner} WHERE {owner} = %s", a.victim_owner_value)
