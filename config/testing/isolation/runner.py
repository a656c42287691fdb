"""Runs each attack as the application login, in a transaction that is rolled back."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from config.db.session import APP, SESSION_SQL, Scope
from config.postgres.logins import PUBLIC, TENANT
from config.testing.database import connect
from config.testing.isolation.fixtures import AttackFixture, AttackTarget

INSUFFICIENT_PRIVILEGE = "42501"
Attack = Callable[["AttackAttempt"], None]


class LeakDetected(Exception):
    """Another tenant's data was visible, or a statement failed for an unrelated reason."""


@dataclass(frozen=True)
class IsolationFinding:
    """An attack that succeeded or failed for an unrelated reason."""

    attack: str
    table: str
    attacker: str
    victim: str
    what: str


@dataclass
class IsolationReport:
    """Result of a run of all attacks."""

    attempts: int = 0
    statements: int = 0
    findings: list[IsolationFinding] = field(default_factory=list)

    def add(self, other: "IsolationReport") -> None:
        """Add the attempts and findings of another run."""
        self.attempts += other.attempts
        self.statements += other.statements
        self.findings += other.findings


@dataclass
class AttackAttempt:
    """An attack of tenant `me` on the rows of tenant `victim` in one table."""

    connection: psycopg.Connection[Any]
    public: psycopg.Connection[Any]
    fixture: AttackFixture
    target: AttackTarget
    me: str
    victim: str
    notices: list[str]
    statements: int = 0

    @property
    def mine(self) -> str:
        return self.fixture.row_id(self.target, self.me)

    @property
    def theirs(self) -> str:
        return self.fixture.row_id(self.target, self.victim)

    @property
    def own_owner_value(self) -> str:
        """The value of the owner column in the attacker's rows."""
        return self.fixture.owner_of(self.target, self.me)

    @property
    def victim_owner_value(self) -> str:
        return self.fixture.owner_of(self.target, self.victim)

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        """Roll back all changes of the block."""
        with self.connection.transaction(force_rollback=True):
            yield

    def run(self, statement: str, *params: Any) -> tuple[str, list[Any], int]:
        """Run a statement and return SQLSTATE (empty on success), rows and row count."""
        self.statements += 1
        text = self._named(statement)
        try:
            with self.connection.transaction():
                cursor = self.connection.execute(text, params or None)
                return "", cursor.fetchall() if cursor.description else [], max(cursor.rowcount, 0)
        except psycopg.Error as error:
            return error.sqlstate or "?", [], 0

    def _named(self, statement: str) -> sql.Composed:
        names = {"t": self.target.table, "owner": self.target.owner}
        return sql.SQL(statement).format(**{key: sql.Identifier(name) for key, name in names.items()})  # type: ignore[arg-type]

    def rows(self, statement: str, *params: Any) -> list[Any]:
        """Return the rows, or an empty list if permission is denied.

        Raises:
            Leak: if the statement fails for another reason.
        """
        state, rows, _ = self.run(statement, *params)
        if state not in ("", INSUFFICIENT_PRIVILEGE):
            raise LeakDetected(f"failed with {state}, which proves nothing: {statement}")
        return rows

    def assert_no_rows(self, statement: str, *params: Any) -> None:
        """Assert that the statement returns no rows."""
        if rows := self.rows(statement, *params):
            raise LeakDetected(f"{len(rows)} rows: {statement}")

    def assert_zero(self, statement: str, *params: Any) -> None:
        """Assert that the statement returns the number zero."""
        if (rows := self.rows(statement, *params)) and rows[0][0]:
            raise LeakDetected(f"counted {rows[0][0]}: {statement}")

    def assert_own_rows_only(self, statement: str, *params: Any) -> None:
        """Assert that the first column, the owner, contains only the attacker."""
        foreign = {str(row[0]) for row in self.rows(statement, *params)} - {self.own_owner_value, "None"}
        if foreign and self.target.table != "accounts_user":
            raise LeakDetected(f"rows of {len(foreign)} others: {statement}")
        if self.victim_owner_value in foreign:
            raise LeakDetected(f"a row of the victim: {statement}")

    def assert_unchanged(self, statement: str, *params: Any) -> None:
        """Assert that the statement changes no rows."""
        state, _, count = self.run(statement, *params)
        if count or state not in ("", INSUFFICIENT_PRIVILEGE):
            raise LeakDetected(f"{count} rows changed, state {state or 'none'}: {statement}")

    def assert_refused(self, statement: str, *params: Any) -> None:
        """Assert that the database denies permission."""
        state, _, _ = self.run(statement, *params)
        if state != INSUFFICIENT_PRIVILEGE:
            raise LeakDetected(f"{'failed with ' + state if state else 'was allowed'}: {statement}")

    def set_scope(self, tenant: str, role: str = APP, *, user: str = "") -> None:
        """Set the transaction's role, tenant and user, as the backend does."""
        self.connection.execute(SESSION_SQL, self.scope_of(tenant, role, user=user).params())

    def scope_of(self, tenant: str, role: str = APP, *, user: str = "") -> Scope:
        """Return the scope of a user, by default the tenant's administrator."""
        user = user or self.fixture.users[tenant]
        return Scope(role, UUID(tenant), UUID(user), actor=f"user:{user}")

    def setting(self, name: str) -> str:
        """Return a setting of the session."""
        return str(self.run("SELECT current_setting(%s, true)", name)[1][0][0])


def run_matrix(
    fixture: AttackFixture,
    attacks: dict[str, Attack],
    pairs: Sequence[tuple[str, str]],
    *,
    targets: Sequence[AttackTarget] | None = None,
    role: str = APP,
    on_attempt: Callable[[], object] = lambda: None,
) -> IsolationReport:
    """Run every attack on every table for every pair (attacker, victim).

    Args:
        role: database role of the attacker; `conclave_app` as in the application.
        on_attempt: called after each attempt, for a progress bar.
    """
    report = IsolationReport()
    notices: list[str] = []
    with (
        connect(TENANT, database=fixture.database, prepare_threshold=None) as web,
        connect(PUBLIC, database=fixture.database, prepare_threshold=None) as public,
    ):
        web.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        for me, victim in pairs:
            for target in targets or fixture.targets:
                for name, attack in attacks.items():
                    attempt = AttackAttempt(web, public, fixture, target, me, victim, notices)
                    _run_attack(name, attack, attempt, role, report)
                    on_attempt()
    return report


def _run_attack(
    name: str, attack: Attack, attempt: AttackAttempt, role: str, report: IsolationReport
) -> None:
    attempt.notices.clear()
    try:
        with attempt.rolled_back():
            attempt.set_scope(attempt.me, role)
            attack(attempt)
    except LeakDetected as leak:
        what = re.sub(r"\s+", " ", str(leak))
        report.findings.append(IsolationFinding(name, attempt.target.table, attempt.me, attempt.victim, what))
    except psycopg.Error as error:
        what = f"failed with {error.sqlstate}: {error.diag.message_primary or error}"
        report.findings.append(IsolationFinding(name, attempt.target.table, attempt.me, attempt.victim, what))
    report.attempts += 1
    report.statements += attempt.statements
