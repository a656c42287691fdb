"""`python -m benchmarks.passages`: what passages with text around them contain, and diversity of passages.

The documentation of `data/docs` is indexed as whole files with the lexical embedder. For each judged question, the
found passages are compared with the sections that answer it, and the first quote of the offline model is right if it
comes from such a section. There are no limits.
"""

import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from .languages import EMBEDDER, create_bench_tenant

if TYPE_CHECKING:
    from knowledge.evaluation.datasets import Dataset, DatasetPassage
    from knowledge.services.evaluation import SearchedQuestions
    from knowledge.services.passage_expansion import ExpandedPassage

DATA = Path(__file__).resolve().parent / "data" / "docs"
SIZES = (256, 64)
# Passages and tokens of text around each of them.
CASES = ((8, 0), (8, 256), (8, 512), (16, 0), (24, 0))
DIVERSITIES = (0.0, 0.1, 0.2, 0.3, 0.5)
DEPTH = 10
# Shorter lines, such as the borders of tables, occur everywhere.
LEAST_LINE = 20


@dataclass
class Totals:
    """Sums over the questions."""

    tokens: int = 0
    sections: int = 0
    complete: int = 0
    right: int = 0


def join_files(dataset: "Dataset") -> "Dataset":
    """Return the dataset with one passage for each file instead of one for each section."""
    from knowledge.evaluation.datasets import DatasetPassage

    files: dict[str, list[DatasetPassage]] = defaultdict(list)
    for passage in dataset.passages:
        files[passage.id.partition("#")[0]].append(passage)
    return replace(
        dataset,
        passages=[
            DatasetPassage(
                name, parts[0].title, "\n\n".join([parts[0].text, *map(_render_section, parts[1:])])
            )
            for name, parts in files.items()
        ],
    )


def _render_section(section: "DatasetPassage") -> str:
    return f"## {section.title}\n\n{section.text}"


def measure_expansion(tenant_id: UUID, dataset: "Dataset") -> None:
    """Print a line for each chunk size, number of passages and number of tokens."""
    from knowledge.services.evaluation import index_dataset

    files, texts = join_files(dataset), {passage.id: passage.text for passage in dataset.passages}
    print(f"{'chunk size':>10}{'passages':>10}{'expand':>8}{'tokens':>8}{'sections':>10}{'right':>7}")
    for size in SIZES:
        with index_dataset(tenant_id, files, embedding_model=EMBEDDER, chunk_size=size) as searched:
            for limit, tokens in CASES:
                totals = _sum_questions(searched, dataset, texts, limit, tokens)
                print(
                    f"{size:>10}{limit:>10}{tokens:>8}{totals.tokens / len(dataset.judgements):>8.0f}"
                    f"{totals.complete / totals.sections:>10.3f}{totals.right / len(dataset.judgements):>7.3f}",
                    flush=True,
                )


def _sum_questions(
    searched: "SearchedQuestions", dataset: "Dataset", texts: dict[str, str], limit: int, tokens: int
) -> Totals:
    from knowledge.chunking import count_tokens
    from knowledge.services.passage_expansion import expand_passages

    totals = Totals()
    for identifier, grades in dataset.judgements.items():
        found = expand_passages(searched.search(identifier, strategy="hybrid", limit=limit), tokens=tokens)
        sections = [texts[section] for section in grades]
        totals.tokens += sum(count_tokens(each.text) for each in found)
        totals.sections += len(sections)
        totals.complete += sum(is_complete(section, [each.text for each in found]) for section in sections)
        totals.right += is_right(dataset.queries[identifier], found, sections)
    return totals


def is_complete(section: str, texts: Sequence[str]) -> bool:
    """Return whether the texts contain each line of the section."""
    found = [_join_words(text) for text in texts]
    lines = [_join_words(line) for line in section.splitlines()]
    return all(any(line in text for text in found) for line in lines if len(line) > LEAST_LINE)


def is_right(question: str, found: "Sequence[ExpandedPassage]", sections: Sequence[str]) -> bool:
    """Return whether the first quote of the offline model comes from one of the sections."""
    from agents.runtime.answer_evaluation import build_passage
    from agents.runtime.extractive import answer_question

    answer = answer_question(
        question, [build_passage(replace(each.passage, text=each.text)) for each in found]
    )
    return answer.found and any(
        _join_words(answer.citations[0].quote) in _join_words(text) for text in sections
    )


def _join_words(text: str) -> str:
    return " ".join(text.split())


def measure_diversity(tenant_id: UUID, dataset: "Dataset") -> None:
    """Print nDCG@10 of searches for sections with each diversity."""
    from knowledge.evaluation.metrics import compute_metrics
    from knowledge.services.evaluation import index_dataset
    from knowledge.services.search import search

    print(f"\n{'diversity':>10}{'nDCG@10':>9}{'recall@10':>11}")
    with index_dataset(tenant_id, dataset, embedding_model=EMBEDDER) as searched:
        for diversity in DIVERSITIES:
            rankings = {}
            for identifier in dataset.judgements:
                found = search(
                    dataset.queries[identifier], [searched.collection], limit=DEPTH, diversity=diversity
                )
                rankings[identifier] = list(dict.fromkeys(passage.source for passage in found))
            metrics = compute_metrics(rankings, dataset.judgements)
            print(f"{diversity:>10.1f}{metrics.ndcg:>9.3f}{metrics.recall:>11.3f}", flush=True)


def main() -> int:
    """Set up the installation, measure, and remove it."""
    from .installation import kept_house

    with (
        tempfile.TemporaryDirectory(prefix="conclave-passages-") as var,
        kept_house(Path(var) / "var", keep=False),
    ):
        from knowledge.evaluation.datasets import load_dataset

        tenant_id, dataset = create_bench_tenant(), load_dataset(DATA)
        measure_expansion(tenant_id, dataset)
        measure_diversity(tenant_id, dataset)
    return 0


if __name__ == "__main__":
    sys.exit(main())
