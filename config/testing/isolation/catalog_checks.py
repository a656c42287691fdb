"""Checks of the PostgreSQL system catalogs; each function returns the violations."""

from collections.abc import Callable, Iterable
from typing import Any

Query = Callable[[str], list[tuple[Any, ...]]]

TABLES = "c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
GRANTEE = "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END"
DATABASE_ROLES = (
    "'conclave_app', 'conclave_identity', 'conclave_operator', 'conclave_reader', 'conclave_queue'"
)


def unprotected_tables(query: Query, tables: Iterable[str]) -> list[str]:
    """Return tables and partitions without forced row-level security or without a policy."""
    named = ", ".join(f"'{table}'::regclass" for table in tables)
    rows = query(f"""
        SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
          EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
        FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
        WHERE c.relkind IN ('r', 'p') AND (c.oid IN ({named}) OR i.inhparent IN ({named})) ORDER BY 1""")
    words = ("row-level security is off", "row-level security is not forced", "there is no policy")
    return [
        f"{name}: {word}"
        for name, *flags in rows
        for word, holds in zip(words, flags, strict=True)
        if not holds
    ]


def open_partitions(query: Query) -> list[str]:
    """Return partitions with grants to other roles, which bypass the policies of the parent."""
    return [
        f"{table}: {grantee} may {right}"
        for table, grantee, right in query(f"""
            SELECT c.relname, {GRANTEE}, a.privilege_type
            FROM pg_class c, aclexplode(c.relacl) a
            WHERE {TABLES} AND c.relispartition AND a.grantee <> c.relowner ORDER BY 1, 2, 3""")
    ]


def unbound_roles(query: Query) -> list[str]:
    """Return project roles that bypass row-level security."""
    return [
        name
        for (name,) in query(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'conclave%'"
            " AND (rolsuper OR rolbypassrls) ORDER BY 1"
        )
    ]


def excess_rights(query: Query) -> list[str]:
    """Return TRUNCATE, TRIGGER, REFERENCES and MAINTAIN grants, and all grants to PUBLIC."""
    return [
        f"{table}: {grantee} may {right}"
        for table, grantee, right in query(f"""
            SELECT c.relname, {GRANTEE}, a.privilege_type
            FROM pg_class c, aclexplode(c.relacl) a
            WHERE {TABLES} AND (a.grantee = 0 OR pg_get_userbyid(a.grantee) IN ({DATABASE_ROLES})
              AND a.privilege_type IN ('TRUNCATE', 'TRIGGER', 'REFERENCES', 'MAINTAIN')) ORDER BY 1, 2, 3""")
    ]


def open_policies(query: Query) -> list[str]:
    """Return policies that apply to PUBLIC; each policy must name its role."""
    return [
        f"{table}: {name}"
        for table, name in query(
            "SELECT polrelid::regclass::text, polname FROM pg_policy WHERE 0 = ANY (polroles) ORDER BY 1, 2"
        )
    ]


def loose_definers(query: Query) -> list[str]:
    """Return SECURITY DEFINER functions with an unpinned `search_path` or granted to PUBLIC.

    Includes trigger functions: attached to a temporary table they could forge the audit log.
    """
    rows = query("""
        SELECT p.proname, coalesce(p.proconfig::text LIKE '%search_path=%', false),
          EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
              WHERE a.grantee = 0)
        FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace ORDER BY 1""")
    unpinned = [f"{name}: search_path is not pinned" for name, pinned, _ in rows if not pinned]
    return unpinned + [f"{name}: PUBLIC may call it" for name, _, public in rows if public]


def context_functions(query: Query) -> list[str]:
    """Return functions of policies that are not STABLE.

    The planner folds IMMUTABLE functions into cached plans, which then return another tenant.
    """
    return [
        f"{name} is not STABLE"
        for name, volatility in query(
            "SELECT proname, provolatile::text FROM pg_proc"
            " WHERE proname LIKE 'conclave_current\\_%' ORDER BY 1"
        )
        if volatility != "s"
    ]


def plain_foreign_keys(query: Query) -> list[str]:
    """Return foreign keys between tenant tables that do not include the tenant."""
    return [
        f"{table}.{column} -> {target}"
        for table, column, target in query(f"""
            SELECT c.relname, a.attname, t.relname FROM pg_constraint f
            JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class t ON t.oid = f.confrelid
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[1]
            WHERE f.contype = 'f' AND {TABLES} AND NOT c.relispartition AND cardinality(f.conkey) = 1
              AND EXISTS (SELECT FROM pg_attribute x WHERE x.attrelid = c.oid AND x.attname = 'tenant_id')
              AND EXISTS (SELECT FROM pg_attribute x WHERE x.attrelid = t.oid AND x.attname = 'tenant_id')
            ORDER BY 1, 2""")
    ]


def unindexed_foreign_keys(query: Query) -> list[str]:
    """Return foreign keys without an index that starts with their column (guarantee G11).

    The tenant may precede the column.
    """
    return [
        f"{table}: {constraint}"
        for table, constraint in query(f"""
            SELECT c.relname, f.conname FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
            WHERE f.contype = 'f' AND {TABLES} AND NOT c.relispartition AND f.conparentid = 0
              AND NOT EXISTS (
                SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indpred IS NULL AND (
                  i.indkey[0] = f.conkey[cardinality(f.conkey)]
                  OR (cardinality(f.conkey) = 2 AND i.indkey[0] = f.conkey[1] AND i.indkey[1] = f.conkey[2])))
            ORDER BY 1, 2""")
    ]


def untriggered_tables(query: Query, tables: Iterable[str]) -> list[str]:
    """Return audited tables whose trigger is missing or disabled."""
    named = ", ".join(f"'{table}'" for table in tables)
    return [
        f"{name}: no audit trigger"
        for (name,) in query(f"""
            SELECT c.relname FROM pg_class c WHERE {TABLES} AND c.relname IN ({named}) AND NOT EXISTS (
              SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
              WHERE t.tgrelid = c.oid AND p.proname IN ('conclave_audit_row', 'conclave_audit_statement')
                AND t.tgenabled <> 'D') ORDER BY 1""")
    ]
