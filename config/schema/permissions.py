"""Pages about row-level security, roles, grants and functions."""

import re
from collections.abc import Iterable

from config.schema.annotations import SchemaAnnotations
from config.schema.catalog import RowPolicy, SchemaCatalog
from config.schema.markdown import code, codes, grid, page

ROLE_DESCRIPTIONS = {
    "conclave_app": "rows of the tenant in the scope",
    "conclave_reader": "read-only access to the same rows; `analytics_reader` in the documents",
    "conclave_identity": "users, sessions, sign-in and second factors; no tenant data",
    "conclave_operator": "platform access across tenants, for `platform_scope`",
    "conclave_queue": "the job queue",
    "conclave_audit": "owns the tables of the audit log; only the schema owner can use it",
    "conclave_scope": "owns the keys and functions that verify scopes; only the schema owner can use it",
    "conclave_owner": "owns the schema, runs migrations, never serves",
    "conclave_web": "login of the web server and of most commands, outside scopes",
    "conclave_worker": "login of the worker, outside scopes",
    "conclave_public": "login of a public API, outside scopes; its process has no login for platform scopes",
    "conclave_tenant": "login of tenant scopes in every serving process",
    "conclave_platform": "login of platform scopes in every serving process except a public API",
}
SHOWN_ROLES = ("conclave_app", "conclave_reader", "conclave_operator", "conclave_identity", "conclave_queue")
PRIVILEGE_ORDER = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
POLICY_INTRO = (
    "Every policy names its role; a role without a policy sees no rows. FORCE applies the policies to table owners too."
    " Tables whose policies differ only in the table name share a pattern; `<table>` stands for the name."
    " Partitions have their own row-level security, a policy for their owner only, and no grants to other roles:"
    " queries access rows through the parent table. See [tenant isolation](../explanation/isolation.md)."
)


def policies_page(catalog: SchemaCatalog, annotations: SchemaAnnotations) -> str:
    """Render the page of policy patterns and the tables that use them."""
    patterns: dict[tuple[RowPolicy, ...], list[str]] = {}
    for table, found in catalog.policies.items():
        patterns.setdefault(tuple(_pattern(policy) for policy in found), []).append(table)
    ordered = sorted(patterns.items(), key=lambda item: (-len(item[1]), item[1][0]))
    blocks = [_pattern_block(n, found, tables) for n, (found, tables) in enumerate(ordered, start=1)]
    return page(
        "Row-level security", POLICY_INTRO, *blocks, "## Tables without", _unsecured(catalog, annotations)
    )


def _pattern(policy: RowPolicy) -> RowPolicy:
    own = re.compile(rf"\b{policy.table}\b")
    name, using, check = (
        own.sub("<table>", text.replace(f"{policy.table}_rls", "<table>_rls"))
        for text in (policy.name, policy.using, policy.check)
    )
    return RowPolicy("", name, policy.command, policy.roles, using, check)


def _pattern_block(number: int, found: Iterable[RowPolicy], tables: list[str]) -> str:
    rows = [
        [code(each.name), each.command, codes(each.roles), code(each.using), code(each.check)]
        for each in found
    ]
    count = "1 table" if len(tables) == 1 else f"{len(tables)} tables"
    table = grid(["Policy", "Command", "Role", "USING", "WITH CHECK"], rows)
    return f"## Pattern {number}: {count}\n\n{codes(tables)}\n\n{table}"


def _unsecured(catalog: SchemaCatalog, annotations: SchemaAnnotations) -> str:
    loose = [
        each for each in catalog.tables.values() if each.kind in "rp" and not (each.secured and each.forced)
    ]
    rows = [
        [
            code(each.name),
            annotations.describe_table(each.name),
            _grantees(catalog, each.name) or "only the owner",
        ]
        for each in loose
    ]
    text = "No policy protects these tables; only the roles named here have privileges on them."
    return f"{text}\n\n{grid(['Table', 'What it is', 'Who can access it'], rows)}"


def _grantees(catalog: SchemaCatalog, table: str) -> str:
    return codes(sorted(catalog.grants.get(table, {})))


def roles_page(catalog: SchemaCatalog, annotations: SchemaAnnotations) -> str:
    """Render the page of roles, memberships and privileges."""
    head = ["Table", "Owner", *(role.removeprefix("conclave_") for role in SHOWN_ROLES), "others"]
    blocks = [
        f"### {app}\n\n{grid(head, [_grant_row(catalog, table) for table in tables])}"
        for app, tables in annotations.by_app(catalog.tables)
    ]
    return page(
        "Roles and grants",
        "Read from the system catalogs; see also [database roles](../reference/database-roles.md).",
        "## Roles",
        _roles(catalog),
        "## Roles that each login can use",
        _memberships(catalog),
        "## Schema and database",
        grid(
            ["Right", "Roles"],
            [[right, codes(sorted(who))] for right, who in sorted(catalog.open_to.items())],
        ),
        "## Tables",
        'S is SELECT, I is INSERT, U is UPDATE, D is DELETE. "not" and "only" list the columns that a privilege'
        " excludes or is limited to. Owners have all privileges that policies and triggers allow.",
        *blocks,
        "## Functions",
        _functions(catalog),
    )


def _roles(catalog: SchemaCatalog) -> str:
    rows = [
        [
            code(name),
            ROLE_DESCRIPTIONS.get(name, ""),
            "yes" if login else "",
            "yes" if above else "no",
            "yes" if bypasses else "no",
            settings,
        ]
        for name, login, above, bypasses, settings in catalog.roles
    ]
    return grid(["Role", "For", "Login", "Superuser", "Bypasses policies", "Settings"], rows)


def _memberships(catalog: SchemaCatalog) -> str:
    rows = [
        [code(login), code(role), "always" if inherits else "by SET ROLE"]
        for login, role, inherits in catalog.memberships
    ]
    return grid(["Login", "Role", "Privileges apply"], rows)


def _grant_row(catalog: SchemaCatalog, table: str) -> list[str]:
    others = {
        *catalog.grants.get(table, {}),
        *(role for role, _ in catalog.column_grants.get(table, {})),
    } - set(SHOWN_ROLES)
    return [
        code(table),
        catalog.tables[table].owner.removeprefix("conclave_"),
        *(_rights(catalog, table, role) for role in SHOWN_ROLES),
        " ".join(f"{role}: {_rights(catalog, table, role)}" for role in sorted(others)),
    ]


def _rights(catalog: SchemaCatalog, table: str, role: str) -> str:
    whole = catalog.grants.get(table, {}).get(role, set())
    letters = "".join(
        right[0] if right in PRIVILEGE_ORDER[:4] else f" {right}"
        for right in PRIVILEGE_ORDER
        if right in whole
    )
    parts = [letters] if letters else []
    columns = {column.name for column in catalog.columns.get(table, [])}
    for (who, right), named in sorted(catalog.column_grants.get(table, {}).items()):
        if who == role and right not in whole:
            left_out = columns - named
            few = len(left_out) < len(named)
            parts.append(f"{right[0]} {'not' if few else 'only'} {codes(sorted(left_out if few else named))}")
    return ", ".join(parts)


def _functions(catalog: SchemaCatalog) -> str:
    rows = [
        [
            code(f"{each.name}({each.arguments})"),
            each.owner.removeprefix("conclave_"),
            "definer" if each.definer else "caller",
            each.volatility,
            codes(each.grantees) or "only the owner",
        ]
        for each in catalog.functions
    ]
    return grid(["Function", "Owner", "Runs as", "Volatility", "Who can call it"], rows)
