"""Sealing and verification of the audit log.

Seals are stored in the database and copied to `settings.AUDIT_SEAL_FILE`, one JSON object per line. Only the
copy can reveal that the newest rows were removed together with the newest seals, so keep it where database
administrators cannot write.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.db import connection

from audit.models import AuditSeal
from config.db.session import OPERATOR, Scope
from config.tenancy.scope import ScopedTransaction

SEALER_SCOPE = Scope(role=OPERATOR, actor="system:sealing")
NO_COPY = "no copy outside the database"


@dataclass(frozen=True, slots=True)
class SealVerdict:
    """Result of verifying one seal: `ok`, or the reason for the failure."""

    n: int
    partition: str
    row_count: int
    verdict: str

    @property
    def ok(self) -> bool:
        return self.verdict == "ok" or self.verdict.startswith("ok ")


@contextmanager
def _as_sealer() -> Iterator[Any]:
    # Not platform_scope(): it writes an audit row, so every run would find something new to seal.
    with ScopedTransaction(SEALER_SCOPE), connection.cursor() as cursor:
        yield cursor


def seal() -> list[AuditSeal]:
    """Seal the rows of closed transactions and append the new seals to the file.

    Also appends seals that an interrupted run did not copy.

    Raises:
        OSError: The file cannot be written; the seals are already committed.
    """
    with _as_sealer() as cursor:
        cursor.execute("SELECT n FROM conclave_audit_seal()")
        numbers = [n for (n,) in cursor.fetchall()]
        made = list(AuditSeal.objects.filter(n__in=numbers).order_by("n"))
    _copy_out()
    return made


def verify(*, with_copy: bool = True) -> list[SealVerdict]:
    """Verify every seal in order, then compare the seals with their copies.

    Args:
        with_copy: Also compare with `settings.AUDIT_SEAL_FILE`.
    """
    with _as_sealer() as cursor:
        cursor.execute("SELECT n, partition, row_count, verdict, hash FROM conclave_audit_verify()")
        rows = cursor.fetchall()
    verdicts = [SealVerdict(*row[:4]) for row in rows]
    if not with_copy:
        return verdicts
    known = {row[0]: row[4] for row in rows}
    return verdicts + list(_compare_with_copy(known, _read_copy(_seal_file())))


def _compare_with_copy(known: dict[int, str], copied: list[dict[str, Any]]) -> Iterator[SealVerdict]:
    if known and not copied:
        yield SealVerdict(0, "", 0, NO_COPY)
    for entry in copied:
        number = entry.get("n", 0)
        if number in known and entry.get("hash") == known[number]:
            continue
        word = "differs from its copy" if number in known else "missing from the database; the copy exists"
        yield SealVerdict(number, entry.get("partition", ""), entry.get("row_count", 0), word)


def _seal_file() -> Path:
    return Path(settings.AUDIT_SEAL_FILE)


def _read_copy(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [_parse_entry(line) for line in path.read_text().splitlines() if line.strip()]


def _parse_entry(line: str) -> dict[str, Any]:
    """Parse a line; return an entry that matches no seal if the line is damaged."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _copy_out() -> None:
    with _open_locked(_seal_file()) as file:
        last = max((entry.get("n", 0) for entry in _read_copy(_seal_file())), default=0)
        with _as_sealer():
            missing = list(AuditSeal.objects.filter(n__gt=last).order_by("n"))
        file.writelines(_format_entries(missing))
        file.flush()
        os.fsync(file.fileno())


def _format_entries(seals: Iterable[AuditSeal]) -> Iterator[str]:
    for each in seals:
        entry = {
            "n": each.n,
            "partition": each.partition,
            "row_count": each.row_count,
            "hash": bytes(each.hash).hex(),
            "sealed_at": each.sealed_at.isoformat(),
        }
        yield json.dumps(entry) + "\n"


@contextmanager
def _open_locked(path: Path) -> Iterator[TextIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if (text := file.read()) and not text.endswith("\n"):
            file.write("\n")  # Incomplete line of an interrupted run; verify() reports it.
        yield file
