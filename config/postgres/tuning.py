"""Settings of the embedded server that depend on the machine's memory and cores.

The constants come from the schema document convergio, which describes a machine with 4 GB of memory. Other processes
share the machine, so the server's buffers take a sixteenth of the memory; the system's cache serves the rest.
"""

import os
from pathlib import Path

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
STATEMENT_STATISTICS = "pg_stat_statements"


def detect_memory() -> int:
    """Return the memory of the machine or of the container, in MB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = CGROUP_LIMIT.read_text().strip() if CGROUP_LIMIT.exists() else ""
    return (min(memory, int(limit)) if limit.isdigit() else memory) // 2**20


def detect_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _share(memory: int, divisor: int, low: int, high: int) -> str:
    return f"'{max(low, min(memory // divisor, high))}MB'"


def choose_settings(*, memory: int, cores: int, tree: Path) -> dict[str, str]:
    """Return settings for `memory` in MB, `cores`, and the server installed in `tree`.

    `pg_stat_statements` is loaded if the server has it.
    """
    settings = {
        "max_connections": "200",
        "shared_buffers": _share(memory, 16, 128, 512),
        "effective_cache_size": _share(memory, 4, 256, 65536),
        "work_mem": _share(memory, 1024, 4, 32),
        "maintenance_work_mem": _share(memory, 64, 64, 1024),
        "checkpoint_completion_target": "0.9",
        # `checkpoint_segments = 32` of the document, in the unit that replaced it: 32 segments of 16 MB before a
        # checkpoint, and as many again during it.
        "max_wal_size": "'1GB'",
        "random_page_cost": "1.1",
        "max_worker_processes": str(max(8, cores)),
        "max_parallel_workers": str(cores),
        "max_parallel_workers_per_gather": str(min(2, cores // 2)),
        "max_parallel_maintenance_workers": str(min(4, max(1, cores // 2))),
    }
    if any(tree.glob(f"lib/**/{STATEMENT_STATISTICS}.*")):
        settings["shared_preload_libraries"] = f"'{STATEMENT_STATISTICS}'"
    return settings


def tuning_lines(tree: Path) -> str:
    """Return lines of `postgresql.conf` for this machine and the server installed in `tree`."""
    settings = choose_settings(memory=detect_memory(), cores=detect_cores(), tree=tree)
    return "\n".join(f"{name} = {value}" for name, value in settings.items())
