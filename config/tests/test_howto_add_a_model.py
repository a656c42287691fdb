"""The diffs of `docs/how-to/add-a-model.md` apply to the source and pass the checks of a new model."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

from config.db.backend.creation import TEMPLATE_PREFIX, _digest
from config.postgres.cluster import default_cluster
from config.postgres.logins import OWNER
from config.testing.database import connect

ROOT = Path(settings.BASE_DIR)
DIFF = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PIECES = {
    "accounts/roles.py",
    "config/tests/query_baseline.json",
    "docs/reference/roles-and-scopes.md",
    *(f"workflows/{package}/__init__.py" for package in ("admin", "models")),
    *(f"workflows/{package}/milestones.py" for package in ("admin", "api", "models")),
    *("workflows/api/urls.py", "workflows/migrations/0019_milestone.py"),
    *("workflows/tests/factories.py", "workflows/tests/test_milestones.py"),
}
CONVENTIONS = (
    *(f"config/tests/test_conventions_{kind}.py" for kind in ("routes", "rows", "schema")),
    "config/tests/test_api_resources.py",
)
PARAMETRIZED = (
    *(f"config/tests/test_{kind}.py" for kind in ("admin_isolation", "api_lookups")),
    "workflows/tests/test_milestones.py",
)
# Checks, and the line or file without which each fails.
REQUIRED = {
    "test_row_level_security_is_on_forced_and_has_policies_everywhere": "RowLevelSecurity(",
    "test_every_audited_table_has_its_trigger": "AuditTrigger(",
    "test_every_reference_stands_in_the_database": "SameTenant(",
    "test_every_model_has_a_route_or_a_reason": "workflows/api/urls.py",
    "test_baseline_names_every_route_and_no_other": "workflows/api/urls.py",
    "test_every_model_is_in_the_console_or_has_a_reason": "workflows/admin/__init__.py",
    "test_model_has_a_factory[workflows.Milestone]": "workflows/tests/factories.py",
}
GUARDS = " or ".join(name.partition("[")[0] for name in REQUIRED)
RUFF, MANAGE = [sys.executable, "-m", "ruff"], [sys.executable, "manage.py"]
MODULES = sorted(name for name in PIECES if name.endswith(".py"))
LINTERS = (
    [*RUFF, "check", "--force-exclude", *MODULES],
    [*RUFF, "format", "--check", "--force-exclude", *MODULES],
)
FIND_CHANGES = [*MANAGE, "makemigrations", "--dry-run", "workflows"]


def read_diffs():
    """Return the diff of each file in the page."""
    text = "".join(DIFF.findall((ROOT / "docs/how-to/add-a-model.md").read_text()))
    parts = re.split(r"^(?=--- )", text, flags=re.MULTILINE)[1:]
    return {re.search(r"^\+\+\+ b/(.*)$", part, re.MULTILINE)[1]: part for part in parts}


def copy_source(target):
    """Copy the files of the work tree that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def name_database():
    """Return the name of a second test database of this process."""
    return f"{connection.settings_dict['NAME']}_howto"


def run(tree, *command, check=False, **options):
    """Run a command in `tree` with the server of this run and a second test database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    server = {"CONCLAVE_VAR": str(default_cluster().home.parent), "CONCLAVE_NO_START": "1"}
    # `makemigrations` compares the history of CONCLAVE_DB, which is empty here.
    databases = {"CONCLAVE_DB": "postgres", "CONCLAVE_TEST_DB": name_database()}
    environment = kept | server | databases | {"DJANGO_SETTINGS_MODULE": "config.settings.test"}
    environment["GIT_CEILING_DIRECTORIES"] = str(tree.parent)
    options |= {"cwd": tree, "env": environment, "capture_output": True, "text": True}
    return subprocess.run(command, check=check, **options)


def guard(tree, *selected):
    """Run selected tests in a copy of this run's migrated database, with the new migration applied."""
    pytest_command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--reuse-db",
        "--tb=short",
        "-p",
        "no:cacheprovider",
    ]
    template = sql.Identifier(TEMPLATE_PREFIX + _digest(ROOT))
    name = sql.Identifier(name_database())
    with connect(OWNER, database="postgres") as owner:
        # With FORCE, the owner would need the right to end an autovacuum process.
        owner.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, template))
        try:
            done = run(tree, *pytest_command, *selected)
        finally:
            owner.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
    return done.stdout + done.stderr


@pytest.fixture
def apply(tmp_path, db):
    """Return a function that applies diffs to a copy of the source."""

    def apply_diffs(diffs):
        copy_source(tmp_path)
        run(tmp_path, "git", "apply", "-", input="".join(diffs), check=True)
        return tmp_path

    return apply_diffs


def test_the_page_shows_every_piece():
    assert set(read_diffs()) == PIECES


@pytest.mark.slow
@pytest.mark.unmeasured
def test_the_diffs_of_the_page_pass_every_check(apply):
    tree = apply(read_diffs().values())

    for command in (*LINTERS, [*MANAGE, "check"], FIND_CHANGES):
        done = run(tree, *command)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "milestone" not in done.stdout
    report = guard(tree, *CONVENTIONS, *PARAMETRIZED, "-k", f"milestone or {GUARDS}")
    assert re.search(r"^(\d{2,}) passed", report, re.MULTILINE), report


@pytest.mark.slow
@pytest.mark.unmeasured
def test_each_piece_that_is_left_out_is_noticed(apply):
    diffs = read_diffs()
    tree = apply(diffs[name] for name in diffs.keys() - set(REQUIRED.values()))
    migration = tree / "workflows/migrations/0019_milestone.py"
    lines = migration.read_text().splitlines(keepends=True)
    missing = [piece for piece in REQUIRED.values() if piece.endswith("(")]
    migration.write_text("".join(line for line in lines if not any(piece in line for piece in missing)))

    assert "milestone" in run(tree, *FIND_CHANGES).stdout
    report = guard(tree, *CONVENTIONS, "-k", GUARDS)
    failed = set(re.findall(r"^FAILED \S+::(\S+)", report, re.MULTILINE))
    assert failed == set(REQUIRED), report
