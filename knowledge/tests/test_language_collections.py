"""The judged collections of all languages: equal ids, and answers that passages contain."""

import json
from pathlib import Path

import pytest
from django.conf import settings

from knowledge.evaluation.datasets import load_dataset

FOLDER = Path(settings.BASE_DIR) / "benchmarks" / "data" / "languages"
LANGUAGES = sorted(each.name for each in FOLDER.iterdir() if each.is_dir())


def load_answers(language):
    lines = (FOLDER / language / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["_id"]: row for row in map(json.loads, lines)}


def test_the_collections_include_english():
    assert "en" in LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_collection_has_the_ids_of_the_english_one(language):
    dataset, english = load_dataset(FOLDER / language), load_dataset(FOLDER / "en")

    assert [each.id for each in dataset.passages] == [each.id for each in english.passages]
    assert list(dataset.queries) == list(english.queries)
    assert dataset.judgements == english.judgements
    assert dataset.judgements.keys() == dataset.queries.keys()
    assert [(row["_id"], row["half"], bool(row["gold"])) for row in load_answers(language).values()] == [
        (row["_id"], row["half"], bool(row["gold"])) for row in load_answers("en").values()
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_of_a_collection_are_distinct(language):
    dataset = load_dataset(FOLDER / language)
    absent = [row["text"] for row in load_answers(language).values() if not row["gold"]]
    texts = [each.text for each in dataset.passages] + list(dataset.queries.values()) + absent

    assert all(text.strip() == text != "" and "\ufffd" not in text for text in texts)
    assert len(set(texts)) == len(texts) == 96


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_a_translation_repeats_no_english_text(language):
    dataset, english = load_dataset(FOLDER / language), load_dataset(FOLDER / "en")
    titles = {each.title for each in dataset.passages} & {each.title for each in english.passages}

    assert titles == set()
    assert {each.text for each in dataset.passages} & {each.text for each in english.passages} == set()
    assert set(dataset.queries.values()) & set(english.queries.values()) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_relevant_passages_contain_the_gold_answers(language):
    dataset = load_dataset(FOLDER / language)
    passages = {each.id: each.text for each in dataset.passages}

    missing = [
        (key, gold)
        for key, row in load_answers(language).items()
        for gold in row["gold"]
        if not any(gold in passages[each] for each in dataset.judgements[key])
    ]

    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("half", ["tuning", "judging"])
def test_both_halves_have_present_and_absent_answers(language, half):
    rows = [row for row in load_answers(language).values() if row["half"] == half]

    assert sum(bool(row["gold"]) for row in rows) >= 18
    assert sum(not row["gold"] for row in rows) == 8
