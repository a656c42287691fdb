"""Exported cells are not evaluated as formulas, and an import gives back their text."""

import csv
import io
from decimal import Decimal

import pytest
from django.urls import reverse
from openpyxl import load_workbook

from agents.tests.factories import AgentFactory
from config.spreadsheet_cells import FORMULA_STARTS, neutralize_cell, restore_cell
from config.tenancy.scope import tenant_scope
from knowledge.parsing import parse_bytes

FORMULAS = [
    *("=1+1", '=HYPERLINK("http://x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1"),
    *("＝1+1", "＋1", "－1-1", "＠x"),
    *("-", "+", "-1-1", "+cmd|' /C calc'!A0", "-1.2.3"),
]
PLAIN = ["text", "", "1-1", "-5", "+4.5", "-0.1", "'quoted'", "it's", 5, -5, Decimal("-1.5"), None, True]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_exported_as_text(text):
    assert neutralize_cell(text) == f"'{text}"
    assert restore_cell(neutralize_cell(text)) == text


@pytest.mark.parametrize("value", PLAIN)
def test_other_values_are_unchanged(value):
    assert neutralize_cell(value) is value


@pytest.mark.parametrize("text", ["'=1", "''=1", "' =1", "'text", "'-5"])
def test_texts_with_an_apostrophe_survive(text):
    assert restore_cell(neutralize_cell(text)) == text


def export_agents(client, title):
    """Return the file that the console exports in the format `title`."""
    page = reverse("admin:agents_agent_export")
    form = client.get(page).context["form"]
    number = next(value for value, label in form.fields["format"].choices if label == title)
    sent = {box.html_name: "on" for box in form if box.html_name.startswith("agentresource_")}
    response = client.post(page, sent | {"format": number, "resource": ""})
    assert response.status_code == 200
    return response.content


def list_cells(content, title):
    if title == "csv":
        return [cell for row in csv.reader(io.StringIO(content.decode(), newline="")) for cell in row]
    sheet = load_workbook(io.BytesIO(content)).active
    assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    return [cell.value for row in sheet.iter_rows() for cell in row]


def create_agents(member):
    # A name cannot contain line breaks.
    names = [text for text in FORMULAS if not set(text) & set("\t\r\n")]
    with tenant_scope(member.tenant_id, user=member.user):
        for name in names:
            AgentFactory(name=name, description=name)
    return names


@pytest.mark.django_db
@pytest.mark.security("formula injection")
@pytest.mark.parametrize("title", ["csv", "xlsx"])
def test_console_exports_contain_no_formulas(member, admin_client, title, attacks):
    names = create_agents(member)
    content = export_agents(admin_client, title)
    cells = list_cells(content, title)
    for name in names:
        attacks.attempt(name, succeeded=name in cells)
        assert f"'{name}" in cells
    imported = parse_bytes(content, f"agents.{title}", max_bytes=10**7).text
    assert all(name in imported and f"'{name}" not in imported for name in names)


@pytest.mark.django_db
@pytest.mark.security("formula injection", mutation=True)
def test_without_neutralizing_exports_contain_formulas(member, admin_client, monkeypatch, attacks):
    monkeypatch.setattr("audit.admin.exports.neutralize_cell", lambda value: value)
    names = create_agents(member)
    cells = list_cells(export_agents(admin_client, "csv"), "csv")
    for name in names:
        attacks.attempt(name, succeeded=name in cells and name.strip().startswith(FORMULA_STARTS))
