"""Modules that a command loads when it starts."""

import subprocess
import sys

from config.postgres.launch import BASE_DIR

ADMIN = "knowledge.admin.collections"
SETUP = "import sys, django; django.setup(); "
# Each takes between 0.1 s and a second of CPU.
HEAVY = [ADMIN, "openpyxl", "unfold.admin", "pydantic_ai", "pdfplumber", "lxml.html", "numpy", "config.urls"]


def run_python(code):
    command = [sys.executable, "-c", SETUP + code]
    return subprocess.run(command, cwd=BASE_DIR, text=True, capture_output=True, check=True).stdout


def test_ingest_starts_without_console_parsers_and_models():
    code = "import knowledge.management.commands.ingest; print(*sys.modules)"
    assert set(run_python(code).split()) & set(HEAVY) == set()


def test_system_check_loads_the_admin_classes_that_it_checks():
    code = (
        "from django.contrib import admin; from django.core.checks import run_checks;"
        "from config.admin.bases import BaseModelAdmin; from tenants.models import Tenant;"
        "cls = type('Bad', (BaseModelAdmin,), {'list_display': ['nothing']});"
        "admin.autodiscover(); admin.site.unregister(Tenant); admin.site.register(Tenant, cls);"
        "print([error.id for error in run_checks(tags=['admin'])])"
    )
    assert "admin.E108" in run_python(code)
    assert ADMIN in run_python(
        "from django.core.checks import run_checks; run_checks(tags=['admin']); print(*sys.modules)"
    )
