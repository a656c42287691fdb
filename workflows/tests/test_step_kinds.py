"""Migration of step kinds over existing rows."""

from importlib import import_module

import pytest
from django.db import connection

from config.postgres.logins import OWNER
from config.testing.database import connect

migration = import_module("workflows.migrations.0011_step_kinds")


@pytest.mark.django_db
def test_waits_become_delays_and_new_kinds_go_back_to_tools():
    def read():
        return [
            kind
            for (kind,) in owner.execute("SELECT kind FROM workflows_stepexecution ORDER BY id").fetchall()
        ]

    with connect(OWNER, database=connection.settings_dict["NAME"]) as owner:
        # A temporary table hides the one of the schema.
        owner.execute("CREATE TEMPORARY TABLE workflows_stepexecution (id int, kind text)")
        owner.execute("INSERT INTO workflows_stepexecution VALUES (1, 'agent'), (2, 'wait'), (3, 'approval')")
        owner.execute(migration.FORWARDS)
        forwards = read()
        owner.execute("INSERT INTO workflows_stepexecution VALUES (4, 'map')")
        owner.execute(migration.BACKWARDS)
        backwards = read()

    assert forwards == ["agent", "delay", "approval"]
    assert backwards == ["agent", "wait", "approval", "tool"]
