"""Answers to judged questions, and the command that prints search and answer quality."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from agents.runtime.answer_evaluation import answer_questions
from config.tenancy.scope import tenant_scope
from knowledge.evaluation.datasets import load_dataset
from knowledge.models import Chunk, Collection
from knowledge.services.evaluation import index_dataset

PASSAGES = [
    {"_id": "tides", "title": "Tides", "text": "High water follows the moon by about six hours."},
    {"_id": "bread", "title": "Bread", "text": "Knead the dough for ten minutes and let it rise."},
]
ANSWERS = [
    {"_id": "1", "half": "judging", "gold": ["about six hours"]},
    {"_id": "2", "half": "judging", "gold": ["twenty minutes"]},
    {"_id": "3", "half": "tuning", "gold": [], "text": "Who won the cup in Mexico?"},
]


def write_lines(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "small"
    (folder / "qrels").mkdir(parents=True)
    write_lines(folder / "corpus.jsonl", PASSAGES)
    questions = {"1": "When does high water follow the moon?", "2": "How long do I knead the dough?"}
    write_lines(folder / "queries.jsonl", [{"_id": key, "text": text} for key, text in questions.items()])
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\ttides\t2\n2\tbread\t1\n")
    return folder


def evaluate(tenant, folder, **options):
    out = StringIO()
    call_command("rag_eval", folder, tenant=tenant.slug, stdout=out, **options)
    return out.getvalue().splitlines()


def test_questions_are_answered_from_the_dataset(tenant, folder):
    dataset, absent = load_dataset(folder), {"3": "Who won the cup in Mexico?"}
    with index_dataset(tenant.pk, dataset, embedding_model="lexical-hash-384", questions=absent) as searched:
        answers = answer_questions(searched, ["1", "2", "3"])
    with tenant_scope(tenant):
        left = Chunk.objects.count() + Collection.objects.count()

    assert answers == {"1": f"{PASSAGES[0]['text']} [1]", "2": f"{PASSAGES[1]['text']} [1]", "3": None}
    assert left == 0


def test_the_command_prints_each_strategy_and_their_differences(tenant, folder):
    lines = evaluate(tenant, folder)

    assert lines[0] == "small: 2 passages, 2 judged questions"
    assert [line.split()[1] for line in lines[2:5]] == ["hybrid", "semantic", "keyword"]
    assert lines[2].split()[2:] == ["1.0000", "1.0000", "1.0000"]
    assert [line.split() for line in lines[6:]] == [
        [first, "-", second, "+0.0000", "+0.0000", "to", "+0.0000", "1.0000"]
        for first, second in (("hybrid", "semantic"), ("hybrid", "keyword"), ("semantic", "keyword"))
    ]


def test_the_command_prints_the_quality_of_answers(tenant, folder):
    write_lines(folder / "answers.jsonl", ANSWERS)
    lines = evaluate(tenant, folder, strategy=["hybrid"])

    assert [line.split() for line in lines[-2:]] == [
        ["judging", "2", "0.5000", "0.0000", "0", "0.0000", "2", "0.5000"],
        ["tuning", "0", "0.0000", "0.0000", "1", "1.0000", "0", "0.0000"],
    ]


def test_the_command_refuses_a_folder_without_a_dataset(tenant, tmp_path):
    with pytest.raises(CommandError, match=r"corpus\.jsonl cannot be read"):
        evaluate(tenant, tmp_path)
