"""Load time of the demo history compared with COPY of the same rows into the same tables.

The bare COPY reads a file on the server as the superuser, which bypasses row-level security: the same
tables with the same indexes, references and audit triggers. `untriggered` is COPY again with all triggers
off (references and audit), for information: what PostgreSQL would take if nothing were checked or recorded.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .installation import DATABASE, House


@dataclass(frozen=True)
class Loaded:
    """Number of rows, and rows per second of each method."""

    rows: int
    demo: float
    bare: float
    untriggered: float


def demo_load(house: House, *, scale: float) -> Loaded:
    """Load a history, export and delete its rows, then import them twice with COPY."""
    from config.demo.generator import DemoState
    from config.demo.history import delete_history, load_history, make_old_partitions

    make_old_partitions()
    state = DemoState(house.tenant_id, "bench", scale, 1, house.user_id, (house.user_id,))
    began = time.perf_counter()
    rows = load_history(state)
    demo = rows / (time.perf_counter() - began)
    dump = _copied_out(house)
    speeds = []
    for before in ("", "SET session_replication_role = replica;"):
        delete_history(house.tenant_id)
        speeds.append(rows / _copied_in(dump, before))
    return Loaded(rows, demo, *speeds)


def _copied_out(house: House) -> list[tuple[str, Path]]:
    """Export the rows of the history by table, in loading order."""
    from config.db.ids import uuid7_floor
    from config.demo.generator import SINCE, UNTIL
    from config.demo.history import get_tables
    from config.postgres.cluster import default_cluster, run_sql

    cluster = default_cluster()
    dump = []
    for model in reversed(get_tables()):
        table, path = model._meta.db_table, cluster.data / f"{model._meta.db_table}.copy"
        columns = _columns(model)
        rows = f"tenant_id = '{house.tenant_id}' AND id >= '{uuid7_floor(SINCE)}' AND id < '{uuid7_floor(UNTIL)}'"
        run_sql(
            cluster,
            f"COPY (SELECT {columns} FROM {table} WHERE {rows} ORDER BY id) TO '{path}' (FORMAT BINARY)",
            DATABASE,
        )
        dump.append((f"{table} ({columns})", path))
    return dump


def _columns(model: Any) -> str:
    return ", ".join(
        f'"{field.column}"' for field in model._meta.local_concrete_fields if not field.generated
    )


def _copied_in(dump: list[tuple[str, Path]], before: str) -> float:
    """Return the seconds of COPY in one transaction, like the demo's."""
    from config.postgres.cluster import default_cluster, run_sql

    copies = "".join(f"COPY {target} FROM '{path}' (FORMAT BINARY);" for target, path in dump)
    began = time.perf_counter()
    run_sql(default_cluster(), f"{before} BEGIN; {copies} COMMIT;", DATABASE)
    return time.perf_counter() - began
