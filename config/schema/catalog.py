"""Schema facts from the PostgreSQL system catalogs, for the pages of `docs/schema/`.

Partitions are left out: they change over time and equal their parent. Results are sorted in Python because
collations differ between servers.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from config.postgres.logins import TEST

Query = Callable[[str], list[tuple[Any, ...]]]

PROJECT_RELATIONS = "c.relnamespace = 'public'::regnamespace AND NOT c.relispartition"
GRANTEE = "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END"
DELETE_RULES = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
COMMANDS = {"*": "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


class TableColumn(NamedTuple):
    table: str
    name: str
    type: str
    null: bool
    default: str
    generated: bool


class TableIndex(NamedTuple):
    """An index; `definition` is the text after USING without the condition."""

    table: str
    name: str
    kind: str
    definition: str
    condition: str
    unique: bool
    constraint: str
    columns: tuple[str, ...]


class ForeignKey(NamedTuple):
    """A foreign key."""

    table: str
    name: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    rule: str
    deferrable: str

    @property
    def is_composite(self) -> bool:
        return len(self.columns) > 1

    @property
    def column(self) -> str:
        """The referencing column; in a composite key it follows the tenant."""
        return self.columns[-1]


class RowPolicy(NamedTuple):
    table: str
    name: str
    command: str
    roles: tuple[str, ...]
    using: str
    check: str


class DatabaseFunction(NamedTuple):
    name: str
    arguments: str
    owner: str
    definer: bool
    volatility: str
    grantees: tuple[str, ...]


class TableInfo(NamedTuple):
    name: str
    kind: str
    owner: str
    secured: bool
    forced: bool
    partition_key: str


@dataclass
class SchemaCatalog:
    """Lazily loaded, cached schema facts; `query` runs a statement and returns its rows."""

    query: Query

    @cached_property
    def tables(self) -> dict[str, TableInfo]:
        """Tables, partitioned tables, views and materialised views by name."""
        rows = self.query(f"""
            SELECT c.relname, c.relkind::text, pg_get_userbyid(c.relowner), c.relrowsecurity,
              c.relforcerowsecurity, coalesce(pg_get_partkeydef(c.oid), '')
            FROM pg_class c WHERE {PROJECT_RELATIONS} AND c.relkind IN ('r', 'p', 'v', 'm')""")
        return {row[0]: TableInfo(*row) for row in sorted(rows)}

    @cached_property
    def columns(self) -> dict[str, list[TableColumn]]:
        """Columns of each table, in table order."""
        rows = self.query(f"""
            SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
              coalesce(pg_get_expr(d.adbin, d.adrelid, true), ''), a.attgenerated <> '', a.attnum
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE {PROJECT_RELATIONS} AND c.relkind IN ('r', 'p', 'v', 'm')""")
        ordered = sorted(rows, key=lambda row: (row[0], row[6]))
        return _group_by_table(TableColumn(*row[:6]) for row in ordered)

    @cached_property
    def indexes(self) -> dict[str, list[TableIndex]]:
        rows = self.query(f"""
            SELECT c.relname, x.relname, m.amname, pg_get_indexdef(i.indexrelid),
              coalesce(pg_get_expr(i.indpred, i.indrelid, true), ''), i.indisunique,
              coalesce((SELECT f.contype::text FROM pg_constraint f WHERE f.conindid = i.indexrelid
                AND f.conrelid = i.indrelid AND f.contype IN ('p', 'u')), ''),
              ARRAY(SELECT coalesce(a.attname, '')
                FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY k(n, place)
                LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.n AND k.n > 0 ORDER BY k.place)
            FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
            JOIN pg_am m ON m.oid = x.relam WHERE {PROJECT_RELATIONS}""")
        made = (
            (*row[:3], _index_definition(row[3]), simplify_expression(row[4]), *row[5:7], tuple(row[7]))
            for row in sorted(rows)
        )
        return _group_by_table(map(TableIndex._make, made))

    @cached_property
    def keys(self) -> dict[str, list[ForeignKey]]:
        """Foreign keys of each table, without the copies for partitions."""
        columns = """ARRAY(SELECT a.attname FROM unnest(f.{0}key) WITH ORDINALITY k(n, place)
            JOIN pg_attribute a ON a.attrelid = f.{0}relid AND a.attnum = k.n ORDER BY k.place)"""
        rows = self.query(f"""
            SELECT c.relname, f.conname, {columns.format("con")}, t.relname, {columns.format("conf")},
              f.confdeltype::text, CASE WHEN f.condeferred THEN 'at commit' ELSE 'immediately' END
            FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class t ON t.oid = f.confrelid
            WHERE f.contype = 'f' AND f.conparentid = 0 AND {PROJECT_RELATIONS}""")
        return _group_by_table(
            ForeignKey(table, name, tuple(own), target, tuple(theirs), DELETE_RULES[rule], when)
            for table, name, own, target, theirs, rule, when in sorted(rows)
        )

    @cached_property
    def checks(self) -> dict[str, list[tuple[str, str, str]]]:
        """Table, name and condition of the check constraints of each table."""
        rows = self.query(f"""
            SELECT c.relname, f.conname, pg_get_expr(f.conbin, f.conrelid, true)
            FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid WHERE f.contype = 'c' AND {PROJECT_RELATIONS}""")
        return _group_by_table((*names, simplify_expression(condition)) for *names, condition in sorted(rows))

    @cached_property
    def policies(self) -> dict[str, list[RowPolicy]]:
        rows = self.query(f"""
            SELECT c.relname, p.polname, p.polcmd::text,
              ARRAY(SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r) END FROM unnest(p.polroles) r),
              coalesce(pg_get_expr(p.polqual, p.polrelid, true), ''),
              coalesce(pg_get_expr(p.polwithcheck, p.polrelid, true), '')
            FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE {PROJECT_RELATIONS}""")
        made = (
            (*row[:2], COMMANDS[row[2]], tuple(sorted(row[3])), *map(simplify_expression, row[4:]))
            for row in sorted(rows)
        )
        return _group_by_table(map(RowPolicy._make, made))

    @cached_property
    def triggers(self) -> dict[str, list[tuple[str, str, str, str]]]:
        """Table, name, function and level of the triggers of each table, without those of constraints."""
        rows = self.query(f"""
            SELECT c.relname, t.tgname, p.proname, CASE t.tgtype & 1 WHEN 1 THEN 'each row' ELSE 'each statement' END
            FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
            WHERE NOT t.tgisinternal AND {PROJECT_RELATIONS}""")
        return _group_by_table(sorted(rows))

    @cached_property
    def grants(self) -> dict[str, dict[str, set[str]]]:
        """Table -> role -> table privileges, without those of the owner."""
        found: dict[str, dict[str, set[str]]] = {}
        for table, role, right in self.query(f"""
                SELECT c.relname, {GRANTEE}, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
                WHERE {PROJECT_RELATIONS} AND c.relkind IN ('r', 'p', 'v', 'm') AND a.grantee <> c.relowner"""):
            found.setdefault(table, {}).setdefault(role, set()).add(right)
        return found

    @cached_property
    def column_grants(self) -> dict[str, dict[tuple[str, str], set[str]]]:
        """Table -> (role, privilege) -> columns."""
        found: dict[str, dict[tuple[str, str], set[str]]] = {}
        for table, role, right, column in self.query(f"""
                SELECT c.relname, {GRANTEE}, a.privilege_type, t.attname
                FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
                WHERE {PROJECT_RELATIONS} AND a.grantee <> c.relowner"""):
            found.setdefault(table, {}).setdefault((role, right), set()).add(column)
        return found

    @cached_property
    def functions(self) -> list[DatabaseFunction]:
        """Functions of the schema, without those of extensions."""
        rows = self.query(f"""
            SELECT p.proname, pg_get_function_identity_arguments(p.oid), pg_get_userbyid(p.proowner), p.prosecdef,
              CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
              ARRAY(SELECT {GRANTEE} FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                WHERE a.grantee <> p.proowner)
            FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND NOT EXISTS (
              SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e')""")
        return [
            DatabaseFunction(name, arguments, owner, definer, volatility, tuple(sorted(grantees)))
            for name, arguments, owner, definer, volatility, grantees in sorted(rows)
        ]

    @cached_property
    def roles(self) -> list[tuple[str, bool, bool, bool, str]]:
        """Project roles: name, can log in, superuser, bypasses row-level security, settings."""
        rows = self.query(f"""
            SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, coalesce(array_to_string(rolconfig, ', '), '')
            FROM pg_roles WHERE rolname LIKE 'conclave\\_%' AND rolname <> '{TEST}'""")
        return sorted(rows)

    @cached_property
    def memberships(self) -> list[tuple[str, str, bool]]:
        """Login, role, and whether the login inherits the role's rights without SET ROLE."""
        rows = self.query(f"""
            SELECT m.rolname, r.rolname, bool_or(a.inherit_option) FROM pg_auth_members a
            JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
            WHERE r.rolname LIKE 'conclave\\_%' AND m.rolname LIKE 'conclave\\_%'
              AND m.rolname <> '{TEST}' GROUP BY 1, 2""")
        return sorted(rows)

    @cached_property
    def open_to(self) -> dict[str, set[str]]:
        """Privileges on the schema and the database, as text -> roles."""
        found: dict[str, set[str]] = {}
        for thing, right, role in self.query(f"""
                SELECT 'schema public', a.privilege_type, {GRANTEE}
                FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'public' AND a.grantee <> n.nspowner
                UNION ALL SELECT 'database', a.privilege_type, {GRANTEE}
                FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = current_database()
                  AND a.grantee <> d.datdba"""):
            if role != TEST:
                found.setdefault(f"{right} on the {thing}", set()).add(role)
        return found

    def referrers(self, table: str) -> list[ForeignKey]:
        """Return the foreign keys that refer to `table`, including its own."""
        return [key for keys in self.keys.values() for key in keys if key.target == table]


def _group_by_table(rows: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


def _index_definition(text: str) -> str:
    return text.split(" USING ", 1)[1].split(" ", 1)[1].split(" WHERE ", 1)[0]


def simplify_expression(expression: str) -> str:
    """Remove the casts and aliases that PostgreSQL adds to `expression`."""
    text = re.sub(r"\s+", " ", expression)
    text = re.sub(r"'::(character varying|text|jsonb|bpchar)(\(\d+\))?(?!\[)", "'", text)
    text = re.sub(r"ARRAY\[([^\[\]]*)\]::(?:character varying|text)(?:\(\d+\))?\[\]", r"ARRAY[\1]", text)
    text = re.sub(r"\b(\w+)::text\b(?!\[)", r"\1", text)
    text = re.sub(r"(\d)::(double precision|numeric)", r"\1", text)
    text = re.sub(r"= ANY \((?:\()?ARRAY\[([^\[\]]*)\](?:\)::text\[\])?\)", r"IN (\1)", text)
    text = re.sub(r"\( SELECT (conclave_\w+\(\)) AS conclave_\w+\)", r"(SELECT \1)", text)
    return re.sub(r"\(\(SELECT (conclave_\w+\(\))\)\)", r"(SELECT \1)", text)
