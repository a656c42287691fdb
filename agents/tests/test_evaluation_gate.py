"""The regression gate of a collection: `manage.py rag_eval --collection`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from config.tenancy.scope import tenant_scope
from knowledge.models import Document, JudgedQuestion, RagEvaluation
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion
from knowledge.tests.factories import JudgedQuestionFactory

HOURS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
HARBOURS = ("Brest", "Cuxhaven", "Dover", "Emden", "Faro", "Genoa", "Hamburg", "Izmir", "Jakarta", "Kiel")


@pytest.fixture
def questions(tenant, tmp_path):
    """Ten documents, and an accepted question about each."""
    for hours, harbour in zip(HOURS, HARBOURS, strict=True):
        text = f"High water in {harbour} follows the moon by {hours} hours."
        (tmp_path / f"{harbour}.md").write_text(f"# {harbour}\n\n{text}\n")
    with tenant_scope(tenant, actor="system:test"):
        collection, _ = get_or_create_collection("tides")
    ingestion = Ingestion(tenant.pk, collection, "system:test")
    list(ingestion.run(ingestion.files(tmp_path)))
    with tenant_scope(tenant, actor="system:test"):
        return [
            JudgedQuestionFactory(
                collection=collection,
                user=None,
                is_shared=True,
                status="accepted",
                question=f"How does high water in {harbour} follow the moon?",
                grades={f"{harbour}.md": 1},
                gold=[f"{hours} hours"],
                language="en",
            )
            for hours, harbour in zip(HOURS, HARBOURS, strict=True)
        ]


def evaluate(tenant, *options):
    out = StringIO()
    try:
        call_command("rag_eval", "--collection", "tides", "--tenant", tenant.slug, *options, stdout=out)
    except CommandError as error:
        return error.returncode, str(error), out.getvalue()
    return 0, "", out.getvalue()


def test_the_gate_passes_without_changes_and_fails_when_documents_are_missing(tenant, questions):
    saved = evaluate(tenant, "--save-baseline", "--tolerance", "0.02")
    passed = evaluate(tenant, "--gate")
    with tenant_scope(tenant, actor="system:test"):
        Document.objects.filter(source__in=[f"{harbour}.md" for harbour in HARBOURS[:6]]).delete()
    code, message, output = evaluate(tenant, "--gate", "--save-baseline")
    with tenant_scope(tenant):
        baseline = RagEvaluation.objects.get(is_baseline=True)

    assert (saved[0], saved[2].splitlines()[-1]) == (0, "The baseline is saved.")
    assert "answers with a gold text: 1.0000 of 10 questions" in saved[2]
    assert passed[:2] == (0, "")
    assert (code, message) == (1, "Significantly worse than the baseline: ndcg_at_10, recall_at_10, gold.")
    assert "gold             1.0000   0.0000  How does high water in Brest follow the moon?" in output
    assert (baseline.tolerance, baseline.differences) == (0.02, [])


def test_the_gate_needs_a_baseline_and_enough_questions(tenant, questions):
    without = evaluate(tenant, "--gate")
    evaluate(tenant, "--save-baseline")
    with tenant_scope(tenant, actor="system:test"):
        JudgedQuestion.objects.get(pk=questions[0].pk).delete()
    too_few = evaluate(tenant, "--gate")

    assert without[:2] == (2, "The collection has no baseline. Create one with --save-baseline.")
    assert too_few[:2] == (2, "The gate needs 10 questions that are also in the baseline; there are 9.")


def test_the_gate_refuses_datasets_and_unknown_collections(tenant, tmp_path):
    with pytest.raises(CommandError, match="need --collection") as caught:
        call_command("rag_eval", str(tmp_path), "--gate", "--tenant", tenant.slug)

    assert caught.value.returncode == 2
    assert evaluate(tenant)[0] == 2
