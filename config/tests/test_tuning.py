"""Settings of the embedded server by machine."""

import pytest
from django.db import connection

from config.postgres.tuning import choose_settings, detect_cores, detect_memory
from config.testing.database import has_superuser

DOCUMENTED = {
    "max_connections": "200",
    "shared_buffers": "'256MB'",
    "effective_cache_size": "'1024MB'",
    "work_mem": "'4MB'",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
}


def choose(tmp_path, *, memory, cores=2):
    return choose_settings(memory=memory, cores=cores, tree=tmp_path)


def test_a_machine_with_four_gigabytes_gets_the_documented_settings(tmp_path):
    chosen = choose(tmp_path, memory=4096)

    assert {name: chosen[name] for name in DOCUMENTED} == DOCUMENTED


@pytest.mark.parametrize(
    ("memory", "cores", "buffers", "work", "gather"),
    [(512, 1, "'128MB'", "'4MB'", "0"), (16_384, 4, "'512MB'", "'16MB'", "2")],
)
def test_settings_follow_memory_and_cores_within_limits(tmp_path, memory, cores, buffers, work, gather):
    chosen = choose(tmp_path, memory=memory, cores=cores)

    assert (chosen["shared_buffers"], chosen["work_mem"]) == (buffers, work)
    assert (chosen["max_parallel_workers"], chosen["max_parallel_workers_per_gather"]) == (str(cores), gather)


def test_statement_statistics_are_loaded_where_the_server_has_them(tmp_path):
    assert "shared_preload_libraries" not in choose(tmp_path, memory=4096)
    (tmp_path / "lib" / "postgresql").mkdir(parents=True)
    (tmp_path / "lib" / "postgresql" / "pg_stat_statements.so").touch()

    assert choose(tmp_path, memory=4096)["shared_preload_libraries"] == "'pg_stat_statements'"


def test_the_running_server_has_the_settings_of_this_machine(db, tmp_path):
    if not has_superuser():
        pytest.skip("external servers have their own settings")
    wanted = choose_settings(memory=detect_memory(), cores=detect_cores(), tree=tmp_path)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('random_page_cost'), current_setting('work_mem')")
        cost, work = cursor.fetchone()
    assert (cost, f"'{work}'") == (wanted["random_page_cost"], wanted["work_mem"])
